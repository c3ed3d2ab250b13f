"""Eq. A of IGQ-ViT's supplement: fixed regions, and the divergence of two answers on them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness_tasks.detection.detectors import assigner, build
from harness_tasks.detection.regions import OBJECTS, regions
from harness_tasks.detection.response import (
    QueryResponse,
    RegionResponse,
    Stage,
    observe_regions,
    query_divergence,
    query_response,
    region_divergence,
    region_response,
)

from mmdet.structures import DetDataSample  # isort: skip
from mmengine.structures import InstanceData  # isort: skip

SIDE = 64


def sample(boxes: list[list[float]], labels: list[int]) -> Any:
    one = DetDataSample(metainfo={"img_shape": (SIDE, SIDE), "ori_shape": (SIDE, SIDE), "scale_factor": (1.0, 1.0),
                                  "batch_input_shape": (SIDE, SIDE), "pad_shape": (SIDE, SIDE)})
    one.gt_instances = InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4),
                                    labels=torch.tensor(labels, dtype=torch.long))
    return one


def two_pictures(seed: int = 0) -> dict[str, Any]:
    torch.manual_seed(seed)
    return {"inputs": torch.randn(2, 3, SIDE, SIDE),
            "data_samples": [sample([[4.0, 6.0, 30.0, 40.0], [20.0, 20.0, 60.0, 50.0]], [3, 9]), sample([], [])]}


def iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_regions_surround_objects_and_leave_a_background() -> None:
    objects = [[4.0, 6.0, 30.0, 40.0], [20.0, 20.0, 60.0, 50.0]]
    boxes, labels = regions(torch.tensor(objects), torch.tensor([3, 9]), SIDE, SIDE)
    assert boxes[:2].tolist() == objects
    assert labels[:2].tolist() == [3, 9]
    for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
        assert 0 <= box[0] < box[2] <= SIDE
        assert 0 <= box[1] < box[3] <= SIDE
        if label < 0:
            assert max(iou(box, one) for one in objects) <= 0.3 + 1e-6
        else:
            assert iou(box, objects[[3, 9].index(label)]) > 0.5
    assert (labels == 3).sum() == (labels == 9).sum() == 5
    assert (labels < 0).any()


def test_regions_without_objects_are_background_and_many_objects_are_cut() -> None:
    assert (regions(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), SIDE, SIDE).labels == -1).all()
    many = torch.tensor([[10.0, 10.0, 20.0, 20.0]]).repeat(OBJECTS + 7, 1)
    assert (regions(many, torch.zeros(OBJECTS + 7, dtype=torch.long), SIDE, SIDE).labels == 0).sum() == 5 * OBJECTS


def kl(reference: Tensor, outputs: Tensor) -> float:
    p, q = torch.softmax(reference.double(), 0), torch.softmax(outputs.double(), 0)
    return sum(float(a) * math.log(float(a) / float(b)) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("agnostic", [False, True])
def test_region_divergence_is_eq_a(agnostic: bool) -> None:
    torch.manual_seed(1)
    labels = torch.tensor([2, -1, 0, -1])
    classes, boxes = 3, 4 if agnostic else 12

    def stage() -> Stage:
        return Stage(torch.randn(4, classes + 1), torch.randn(4, boxes), torch.randn(2, classes, 5, 5))

    one, other = (RegionResponse((stage(), stage()), labels) for _ in range(2))
    expected = 0.0
    for a, b in zip(one.stages, other.stages, strict=True):
        expected += sum(kl(a.logits[i], b.logits[i]) for i in range(4)) / 4
        box_terms, mask_terms = [], []
        for place, (region, label) in enumerate(((0, 2), (2, 0))):
            first = 0 if agnostic else 4 * label
            box_terms += (a.boxes[region, first:first + 4] - b.boxes[region, first:first + 4]).abs().tolist()
            mask_terms += (torch.sigmoid(a.masks[place, label]) - torch.sigmoid(b.masks[place, label])
                           ).abs().flatten().tolist()
        expected += sum(box_terms) / len(box_terms) + sum(mask_terms) / len(mask_terms)
    assert region_divergence(one, other).item() == pytest.approx(expected, rel=1e-5)
    assert region_divergence(one, one).item() == 0.0


def test_region_divergence_without_objects_compares_classes_only() -> None:
    labels = torch.tensor([-1, -1])
    one, other = (RegionResponse((Stage(torch.randn(2, 4), torch.randn(2, 12), None),), labels) for _ in range(2))
    expected = sum(kl(one.stages[0].logits[i], other.stages[0].logits[i]) for i in range(2)) / 2
    assert region_divergence(one, other).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("model", "stages"), [("mask_rcnn_mini", 1), ("cascade_mask_rcnn_mini", 3)])
def test_every_stage_answers_on_the_same_regions(model: str, stages: int) -> None:
    detector, inputs = build(model, 10), two_pictures()
    with torch.no_grad():
        answer, again = (region_response(detector, inputs) for _ in range(2))
    assert len(answer.stages) == stages
    objects = int((answer.labels >= 0).sum())
    assert objects == 10
    for stage in answer.stages:
        assert stage.logits.shape == (len(answer.labels), 11)
        assert stage.masks is not None
        assert stage.masks.shape == (objects, 10, 28, 28)
    assert region_divergence(answer, again).item() == 0.0
    with torch.no_grad():
        detector.roi_head.mask_head[0].conv_logits.bias.add_(1) if stages > 1 else \
            detector.roi_head.mask_head.conv_logits.bias.add_(1)
        moved = region_response(detector, inputs)
    assert region_divergence(answer, moved).item() > 1e-3


@pytest.mark.parametrize("model", ["mask_rcnn_mini", "cascade_mask_rcnn_mini"])
def test_calibration_sees_every_layer_on_the_same_regions(model: str) -> None:
    """Whatever the model answers: rows of two models correspond, and the mask head is always reached."""
    inputs, rows = two_pictures(), []
    for seed in (0, 1):
        detector, seen = build(model, 10, seed), {}
        for path, module in detector.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(
                    lambda module, given, output, path=path, seen=seen: seen.setdefault(path, []).append(output.shape))
        with torch.no_grad():
            observe_regions(detector, inputs)
        assert set(seen) == {path for path, module in detector.named_modules()
                             if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)}
        rows.append(seen)
    assert rows[0] == rows[1]


def test_a_region_sees_its_own_picture() -> None:
    detector, inputs = build("mask_rcnn_mini", 10), two_pictures()
    with torch.no_grad():
        both = region_response(detector, inputs)
        second = region_response(detector, {"inputs": inputs["inputs"][1:], "data_samples": inputs["data_samples"][1:]})
    assert torch.allclose(both.stages[0].logits[-len(second.labels):], second.stages[0].logits, atol=1e-4)


def test_query_divergence_takes_the_boxes_of_matched_queries() -> None:
    truth = sample([[0.0, 0.0, 32.0, 32.0]], [1])
    logits = torch.zeros(1, 3, 11)
    logits[0, 2, 1] = 9.0  # the third query sees the object and says so
    boxes = torch.tensor([[[0.8, 0.8, 0.1, 0.1], [0.7, 0.2, 0.1, 0.1], [0.25, 0.25, 0.5, 0.5]]])
    reference = QueryResponse(logits, boxes, [truth])
    moved = boxes.clone()
    moved[0, 2] += torch.tensor([0.1, 0.0, 0.2, 0.0])
    moved[0, 0] += 0.1  # not matched: counts nothing
    other = logits + torch.randn(1, 3, 11, generator=torch.Generator().manual_seed(0))
    expected = sum(kl(logits[0, i], other[0, i]) for i in range(3)) / 3 + (0.1 + 0.2) / 4
    found = query_divergence(reference, QueryResponse(other, moved, [truth]), assigner("detr_mini"))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_query_response_of_a_model_and_its_gradient() -> None:
    detector, inputs = build("detr_mini", 10), two_pictures()
    with torch.no_grad():
        reference = query_response(detector, inputs)
    assert reference.logits.shape == (2, 16, 11)
    assert reference.boxes.shape == (2, 16, 4)
    matching = assigner("detr_mini")
    assert query_divergence(reference, reference, matching).item() == 0.0
    with torch.no_grad():
        detector.bbox_head.fc_cls.bias.mul_(2.0).add_(torch.arange(11.0))
    divergence = query_divergence(reference, query_response(detector, inputs), matching)
    divergence.backward()
    assert divergence.item() > 0
    assert detector.bbox_head.fc_cls.bias.grad.abs().sum() > 0
