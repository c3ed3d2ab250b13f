"""What detectors answer before anything is thrown away, and how far two answers lie apart.

IGQ-ViT's perturbation for detection (supplement, Eq. A): for every region of interest, the KL divergence of
the class probabilities, and the L1 distances of box and mask at the region's true class. DETR has no
regions: there the queries take their place, and the true object of a query is the one that mmdet's matching
(Hungarian, on the reference's answer) gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .regions import Regions, regions


class Stage(NamedTuple):
    """One stage's answer on the regions: logits (n, classes + 1), boxes (n, 4 or 4 x classes), mask logits of the
    regions with an object (m, classes, 28, 28) or ``None``."""

    logits: Tensor
    boxes: Tensor
    masks: Tensor | None


class RegionResponse(NamedTuple):
    """Answers of a two-stage detector; ``labels`` (n,) are the regions' true classes, -1 for background."""

    stages: tuple[Stage, ...]
    labels: Tensor


class QueryResponse(NamedTuple):
    """Answers of DETR's last decoder layer: logits (batch, query, classes + 1), boxes (batch, query, 4) as shares
    of the picture, and what its matching needs: the annotations of each picture."""

    logits: Tensor
    boxes: Tensor
    samples: Sequence[Any]


def region_response(detector: Any, inputs: Any) -> RegionResponse:
    """Of Mask R-CNN or Cascade Mask R-CNN, each stage on the same fixed regions."""
    return response_on(detector, detector.extract_feat(inputs["inputs"]), inputs)


def observe_regions(detector: Any, inputs: Any) -> None:
    """A forward of every layer, with the heads on the same fixed regions: none is chosen by the model's answers."""
    features = detector.extract_feat(inputs["inputs"])
    detector.rpn_head(features)
    response_on(detector, features, inputs)


def response_on(detector: Any, features: Sequence[Tensor], inputs: Any) -> RegionResponse:
    """The response of the heads to the neck's ``features`` of the inputs, (batch, channel, height, width) each."""
    found = [_regions_of(sample, inputs["inputs"].shape[-2:]) for sample in inputs["data_samples"]]
    labels = torch.cat([one.labels for one in found])
    boxes = torch.cat([functional.pad(one.boxes, (1, 0), value=float(picture)) for picture, one in enumerate(found)])
    head = detector.roi_head
    stages = zip(*(_as_list(part) for part in (head.bbox_roi_extractor, head.bbox_head, head.mask_roi_extractor,
                                               head.mask_head)), strict=True)
    answers = []
    for box_extractor, box_head, mask_extractor, mask_head in stages:
        logits, deltas = box_head(box_extractor(features[:box_extractor.num_inputs], boxes))
        objects = boxes[labels >= 0]
        masks = mask_head(mask_extractor(features[:mask_extractor.num_inputs], objects)) if len(objects) else None
        answers.append(Stage(logits, deltas, masks))
    return RegionResponse(tuple(answers), labels)


def query_response(detector: Any, inputs: Any) -> QueryResponse:
    """Of DETR."""
    logits, boxes = detector(inputs["inputs"], inputs["data_samples"], mode="tensor")
    return QueryResponse(logits[-1], boxes[-1], inputs["data_samples"])


def region_divergence(reference: RegionResponse, outputs: RegionResponse) -> Tensor:
    """Eq. A, summed over the stages of a cascade; each of the three terms is a mean over its regions and elements."""
    total = reference.labels.new_zeros((), dtype=torch.float64)
    objects = reference.labels >= 0
    labels = reference.labels[objects]
    for expected, given in zip(reference.stages, outputs.stages, strict=True):
        total = total + class_divergence(expected.logits, given.logits)
        if len(labels):
            total = total + (_of_class(expected.boxes[objects], labels)
                             - _of_class(given.boxes[objects], labels)).double().abs().mean()
        if expected.masks is not None and given.masks is not None:
            index = torch.arange(len(labels), device=labels.device)
            total = total + (expected.masks[index, labels].double().sigmoid()
                             - given.masks[index, labels].double().sigmoid()).abs().mean()
    return total


def query_divergence(reference: QueryResponse, outputs: QueryResponse, assigner: nn.Module | Any) -> Tensor:
    """Eq. A without masks; DETR's boxes are the same for all classes."""
    total = class_divergence(reference.logits.flatten(0, 1), outputs.logits.flatten(0, 1))
    matched = torch.stack([_matched(logits, boxes, sample, assigner) for logits, boxes, sample
                           in zip(reference.logits, reference.boxes, reference.samples, strict=True)])
    if matched.any():
        total = total + (reference.boxes[matched] - outputs.boxes[matched]).double().abs().mean()
    return total


def class_divergence(reference: Tensor, outputs: Tensor) -> Tensor:
    """``KL(softmax(reference) || softmax(outputs))`` of logits (n, classes), mean over n."""
    expected, given = (torch.log_softmax(logits.double(), dim=-1) for logits in (reference, outputs))
    return (expected.exp() * (expected - given)).sum(-1).mean()


def _of_class(boxes: Tensor, labels: Tensor) -> Tensor:
    """(n, 4) box answers at the true class, of (n, 4 x classes), or of (n, 4) that serve all classes."""
    each = boxes.unflatten(1, (-1, 4))
    return each[torch.arange(len(labels), device=labels.device), labels if each.shape[1] > 1 else 0]


def _regions_of(sample: Any, shape: Sequence[int]) -> Regions:
    truth = sample.gt_instances
    return regions(truth.bboxes, truth.labels, *shape)


def _as_list(part: Any) -> Sequence[Any]:
    """The stages of a cascade; one stage where there is no cascade."""
    return list(part) if isinstance(part, nn.ModuleList) else [part]


@torch.no_grad()
def _matched(logits: Tensor, boxes: Tensor, sample: Any, assigner: Any) -> Tensor:
    """Which queries (query,) are matched to an annotated object."""
    from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
    from mmengine.structures import InstanceData

    truth, (height, width) = sample.gt_instances, sample.img_shape[:2]
    corners = bbox_cxcywh_to_xyxy(boxes) * boxes.new_tensor([width, height, width, height])
    result = assigner.assign(pred_instances=InstanceData(scores=logits, bboxes=corners),
                             gt_instances=InstanceData(bboxes=truth.bboxes, labels=truth.labels),
                             img_meta=sample.metainfo)
    return result.gt_inds > 0
