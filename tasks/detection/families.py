"""The tasks of this family: one for each kind of detector, all on the same pictures. Light: no torch, no mmdet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

VARIABLE = "HARNESS_COCO"
"""Environment variable that names the folder of COCO 2017."""

EVALUATION_SIZE = 5_000
"""Pictures of the complete val2017."""


@dataclass(frozen=True)
class Family:
    """One kind of detector.

    Attributes:
        name: the task's name.
        title: what people call the detector.
        models: the models of the full scale; the first one is the default.
        mini_models: the models of the mini scale; the first one is the default.
        masks: whether it finds masks, beside boxes.
        paper_names: what papers call a model -> its name here.
    """

    name: str
    title: str
    models: tuple[str, ...]
    mini_models: tuple[str, ...]
    masks: bool
    paper_names: Mapping[str, str]


FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (
    Family("coco-maskrcnn", "Mask R-CNN", ("mask-rcnn_swin-t", "mask-rcnn_swin-s"), ("mask_rcnn_mini",), True,
           {"Swin-T": "mask-rcnn_swin-t", "Swin-S": "mask-rcnn_swin-s"}),
    Family("coco-cascade-maskrcnn", "Cascade Mask R-CNN", ("cascade-mask-rcnn_swin-t", "cascade-mask-rcnn_swin-s"),
           ("cascade_mask_rcnn_mini",), True,
           {"Swin-T": "cascade-mask-rcnn_swin-t", "Swin-S": "cascade-mask-rcnn_swin-s"}),
    Family("coco-detr", "DETR", ("detr_r50",), ("detr_mini",), False, {"DETR-R50": "detr_r50"}),
)})
"""The tasks by name."""
