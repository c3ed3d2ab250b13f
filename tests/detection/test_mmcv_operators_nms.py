"""Non-maximum suppression in plain torch against its definition, through mmcv's own functions too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from harness_tasks.detection.mmcv_compat import ensure_mmcv
from harness_tasks.detection.nms import BLOCK, nms

ensure_mmcv()
import mmcv.ops  # noqa: E402


def scene(count: int, levels: int = 10_000, side: float = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random boxes of up to ``side`` pixels, and scores of which only so many ``levels`` differ."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 400
    boxes = torch.cat([low, low + torch.rand(count, 2, generator=generator) * side], 1)
    return boxes, torch.randint(0, levels, (count,), generator=generator) / levels


def slow_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> list[int]:
    """Pair after pair, in single precision."""
    corners, one = boxes.numpy(), np.float32(offset)
    areas = [(x2 - x1 + one) * (y2 - y1 + one) for x1, y1, x2, y2 in corners]
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda i: -float(scores[i])):
        for better in kept:
            a, b = corners[index], corners[better]
            width = max(min(a[2], b[2]) - max(a[0], b[0]) + one, np.float32(0))
            height = max(min(a[3], b[3]) - max(a[1], b[1]) + one, np.float32(0))
            union = areas[index] + areas[better] - width * height
            if union > 0 and width * height / union > np.float32(iou_threshold):
                break
        else:
            kept.append(index)
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("iou_threshold", [0.1, 0.6])
@pytest.mark.parametrize("count", [1, 2, 60, BLOCK + 1, 2 * BLOCK + 40])
def test_is_the_definition(count: int, iou_threshold: float, offset: int) -> None:
    boxes, scores = scene(count)
    assert nms(boxes, scores, iou_threshold, offset).tolist() == slow_nms(boxes, scores, iou_threshold, offset)


def test_among_equal_scores_the_earlier_box_is_better() -> None:
    boxes, scores = scene(500, levels=5)
    assert nms(boxes, scores, 0.3, 0).tolist() == slow_nms(boxes, scores, 0.3)
    same = torch.tensor([[0.0, 0, 9, 9]]).expand(2 * BLOCK, 4)
    assert nms(same, torch.ones(2 * BLOCK), 0.5, 0).tolist() == [0]


def test_a_removed_box_removes_nothing() -> None:
    # Each box overlaps its neighbours by 0.6 and the next but one by a third.
    low = torch.arange(5.0)[:, None] * 2.5
    boxes = torch.cat([low, torch.zeros(5, 1), low + 10, torch.ones(5, 1)], 1)
    assert nms(boxes, torch.arange(5, 0, -1).float(), 0.5, 0).tolist() == [0, 2, 4]


def test_an_overlap_of_just_the_threshold_stays() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1]])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.5, 0).tolist() == [0, 1]
    assert nms(boxes, scores, 0.5 - 1e-6, 0).tolist() == [0]


def test_boxes_without_extent_stay_unless_the_offset_gives_them_some() -> None:
    points = torch.tensor([[3.0, 3, 3, 3]] * 3)
    assert nms(points, torch.tensor([0.1, 0.3, 0.2]), 0.5, 0).tolist() == [1, 2, 0]
    assert nms(points, torch.tensor([0.1, 0.3, 0.2]), 0.5, 1).tolist() == [1]


def test_no_boxes() -> None:
    kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5, 0)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64


def test_under_mmcv() -> None:
    boxes, scores = scene(300)
    confident = (scores > 0.4).nonzero()[:, 0]
    expected = confident[slow_nms(boxes[confident], scores[confident], 0.5)][:20]
    detections, kept = mmcv.ops.nms(boxes, scores, 0.5, score_threshold=0.4, max_num=20)
    assert torch.equal(kept, expected)
    assert torch.equal(detections, torch.cat([boxes, scores[:, None]], 1)[expected])


@pytest.mark.parametrize("split_thr", [10_000, 100], ids=["at once", "class by class"])
def test_under_mmcv_for_each_class(split_thr: int) -> None:
    boxes, scores = scene(300, levels=10_000_000)
    classes = torch.arange(300) % 7
    expected = sorted((index for label in range(7) for group in [(classes == label).nonzero()[:, 0]]
                       for index in group[slow_nms(boxes[group], scores[group], 0.5)].tolist()),
                      key=lambda index: -float(scores[index]))
    settings = {"type": "nms", "iou_threshold": 0.5, "split_thr": split_thr, "max_num": 150}
    detections, kept = mmcv.ops.batched_nms(boxes, scores, classes, settings)
    assert 150 < len(expected) < 300
    assert kept.tolist() == expected[:150]
    assert torch.equal(detections, torch.cat([boxes, scores[:, None]], 1)[kept])
