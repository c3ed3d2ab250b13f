"""Detectors' own training losses, and the response of the same forward.

mmdet draws the proposals that R-CNN's heads learn from with torch's global generator, which the run seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .response import QueryResponse, RegionResponse, response_on


def region_objective(detector: Any, inputs: Any) -> tuple[Tensor, Callable[[], RegionResponse]]:
    """Loss (a scalar) of Mask R-CNN or Cascade Mask R-CNN, and what computes its response.

    The loss is on proposals, the response on fixed regions: it runs the heads once more, on the features of the loss.
    """
    features: list[Any] = []
    watch = detector.neck.register_forward_hook(lambda _, __, output: features.append(output))
    try:
        losses = detector(inputs["inputs"], inputs["data_samples"], mode="loss")
    finally:
        watch.remove()
    return _total(detector, losses), lambda: response_on(detector, features[0], inputs)


def query_objective(detector: Any, inputs: Any) -> tuple[Tensor, QueryResponse]:
    """Loss (a scalar) of DETR, and its response: the last layer's answers, which the loss has computed."""
    samples = inputs["data_samples"]
    logits, boxes = detector(inputs["inputs"], samples, mode="tensor")
    losses = detector.bbox_head.loss_by_feat(logits, boxes, [sample.gt_instances for sample in samples],
                                             [sample.metainfo for sample in samples])
    return _total(detector, losses), QueryResponse(logits[-1], boxes[-1], samples)


def _total(detector: Any, losses: Any) -> Tensor:
    total: Tensor = detector.parse_losses(losses)[0]
    return total
