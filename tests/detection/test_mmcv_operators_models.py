"""mmdet's detectors, built small from its shipped configurations, predict and train on the plain operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from roi_align_reference import slow_roi_align
from torch import Tensor, nn

from harness_tasks.detection.detectors import build
from harness_tasks.detection.mmcv_compat import ensure_mmcv

ensure_mmcv()
from mmdet.structures import DetDataSample  # noqa: E402
from mmdet.structures.mask import BitmapMasks  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

SIDE, CLASSES, PICTURES = 128, 10, 2
pytestmark = [
    # mmdet copies tensors in a way that torch warns of, in its losses and its mask head ...
    pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning"),
    # ... logs through a deprecated name, and builds DETR with deprecated arguments.
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is deprecated in `FFN.__init__`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The arguments `dropout` in MultiheadAttention:DeprecationWarning")]
with_regions = pytest.mark.parametrize("name", ["mask_rcnn_mini", "cascade_mask_rcnn_mini"])
all_models = pytest.mark.parametrize("name", ["mask_rcnn_mini", "cascade_mask_rcnn_mini", "detr_mini"])


def pictures() -> tuple[Tensor, list[Any]]:
    """Random pictures, each with three annotated rectangles."""
    torch.manual_seed(0)
    samples = []
    for _ in range(PICTURES):
        low = torch.rand(3, 2) * SIDE / 2
        boxes = torch.cat([low, low + 16 + torch.rand(3, 2) * SIDE / 3], 1)
        masks = np.zeros((3, SIDE, SIDE), dtype=np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample = DetDataSample(metainfo={"img_shape": (SIDE, SIDE), "ori_shape": (SIDE, SIDE), "scale_factor": (1, 1),
                                         "batch_input_shape": (SIDE, SIDE), "pad_shape": (SIDE, SIDE)})
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.randint(0, CLASSES, (3,)),
                                           masks=BitmapMasks(masks, SIDE, SIDE))
        samples.append(sample)
    return torch.randn(PICTURES, 3, SIDE, SIDE), samples


def total(losses: dict[str, Any]) -> Tensor:
    return sum(sum(value) if isinstance(value, list) else value for name, value in losses.items() if "loss" in name)


@all_models
def test_predicts(name: str) -> None:
    model, (inputs, samples) = build(name, CLASSES), pictures()
    if hasattr(model, "roi_head"):
        model.roi_head.test_cfg.score_thr = 0.0  # the weights are random
    with torch.no_grad():
        results = model.predict(inputs, samples, rescale=False)
    for result in results:
        found = result.pred_instances
        assert len(found)
        assert ((found.bboxes >= 0) & (found.bboxes <= SIDE)).all()
        assert (found.scores.diff() <= 0).all()
        if hasattr(model, "roi_head"):
            assert found.masks.shape == (len(found), SIDE, SIDE)


@all_models
def test_trains(name: str) -> None:
    model, (inputs, samples) = build(name, CLASSES).train(), pictures()
    loss = total(model.loss(inputs, samples))
    loss.backward()
    trained = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert loss.isfinite()
    assert not [name for name, gradient in trained.items() if gradient is not None and not gradient.isfinite().all()]
    assert sum(gradient is not None and bool(gradient.any()) for gradient in trained.values()) > 0.8 * len(trained)


@with_regions
def test_the_model_pools_its_own_boxes_as_the_definition_says(name: str) -> None:
    model, (inputs, samples) = build(name, CLASSES), pictures()
    seen: list[tuple[nn.Module, Tensor, Tensor, Tensor]] = []
    for module in model.modules():
        if type(module).__name__ == "RoIAlign":
            module.register_forward_hook(lambda layer, given, output: seen.append((layer, *given, output)))
    with torch.no_grad():
        model.predict(inputs, samples, rescale=False)
    assert len(seen) >= 4
    for layer, features, rois, pooled in seen:
        chosen = torch.arange(len(rois))[::20]
        slow = slow_roi_align(features[:, :2].double(), rois[chosen].double(), layer.output_size, layer.spatial_scale,
                              layer.sampling_ratio, layer.pool_mode, layer.aligned)
        torch.testing.assert_close(pooled[chosen, :2].double(), slow, rtol=0, atol=1e-4)


@with_regions
def test_the_loss_of_regions_reaches_the_backbone_through_roi_align(name: str) -> None:
    model, (inputs, samples) = build(name, CLASSES).train(), pictures()
    losses = model.loss(inputs, samples)
    total({name: loss for name, loss in losses.items() if "rpn" not in name}).backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.rpn_head.parameters())
    assert model.backbone.patch_embed.projection.weight.grad.abs().sum() > 0
