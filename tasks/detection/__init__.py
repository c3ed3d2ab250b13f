"""Detection and instance segmentation with mmdet on COCO, and scenes of digits at the mini scale."""

from __future__ import annotations

from collections.abc import Iterable

from harness import AdapterSpec, TaskSpec, hookimpl

from .coco_folder import LAYOUTS
from .families import FAMILIES, VARIABLE


@hookimpl
def harness_tasks() -> Iterable[TaskSpec]:
    for family in FAMILIES.values():
        what = "box and mask AP" if family.masks else "box AP"
        yield TaskSpec(
            name=family.name,
            summary=f"COCO with {family.title}, {what}",
            factory=".task:DetectionTask",
            resolve=".resolve:resolve",
            metric="box_ap",
            kind="detection",
            calibration_size=16,
            models={"mini": family.mini_models, "full": family.models},
            data_help=f"{LAYOUTS}\nOr set {VARIABLE} to that folder.",
            paper_names=family.paper_names,
            trains=True,
            second_derivatives=not family.masks,  # mmcv's RoIAlign, through which all of these go, has a first one only
        )


@hookimpl
def harness_adapters() -> Iterable[AdapterSpec]:
    yield AdapterSpec(name="mmdet-window", summary="window attention of mmdet's Swin",
                      factory=".window_attention:WindowAttentionTwin",
                      attention="mmdet.models.backbones.swin.WindowMSA")
    yield AdapterSpec(name="torch-multihead", summary="torch's multi-head attention (DETR)",
                      factory=".multihead_attention:MultiheadAttentionTwin",
                      attention="torch.nn.modules.activation.MultiheadAttention")
