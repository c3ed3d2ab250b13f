"""The detectors that the papers quantize, and the checkpoints there are of them. Light: no torch, no mmdet.

Figures of checkpoints are those of mmdet's model zoo (the ``metafile.yml`` beside each configuration; a test
compares them): AP on COCO val2017 in percent. No configuration of Cascade Mask R-CNN on Swin ships with
mmdet, and its zoo has no checkpoint of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ZOO = "https://download.openmmlab.com/mmdetection"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of mmdet's model zoo: its address, box AP, and mask AP where the model has masks."""

    url: str
    box_ap: float
    mask_ap: float | None = None

    @property
    def file(self) -> str:
        """Its file name, which ends in the first eight digits of its SHA-256."""
        return self.url.rpartition("/")[2]

    def is_file(self, sha256: str) -> bool:
        """Whether a file with this hash is it, whatever the file is called."""
        digits = re.search(r"-([0-9a-f]{8})\.pth$", self.file)
        return digits is not None and sha256.startswith(digits[1])


@dataclass(frozen=True)
class KnownModel:
    """A detector. ``checkpoints``: those there are for its configuration, the best known one first."""

    name: str
    title: str
    checkpoints: tuple[Checkpoint, ...] = ()

    def published(self, sha256: str) -> float | None:
        """Box AP of the zoo's checkpoint with this hash; None for any other file."""
        return next((known.box_ap for known in self.checkpoints if known.is_file(sha256)), None)


def _swin(folder: str, suffix: str, box_ap: float, mask_ap: float) -> Checkpoint:
    return Checkpoint(f"{_ZOO}/v2.0/swin/{folder}/{folder}_{suffix}.pth", box_ap, mask_ap)


KNOWN_MODELS: Mapping[str, KnownModel] = {model.name: model for model in (
    KnownModel("mask-rcnn_swin-t", "Mask R-CNN Swin-T", (
        _swin("mask_rcnn_swin-t-p4-w7_fpn_ms-crop-3x_coco", "20210906_131725-bacf6f7b", 46.0, 41.6),
        _swin("mask_rcnn_swin-t-p4-w7_fpn_fp16_ms-crop-3x_coco", "20210908_165006-90a4008c", 46.0, 41.7),
        _swin("mask_rcnn_swin-t-p4-w7_fpn_1x_coco", "20210902_120937-9d6b7cfa", 42.7, 39.3))),
    KnownModel("mask-rcnn_swin-s", "Mask R-CNN Swin-S", (
        _swin("mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco", "20210903_104808-b92c91f1", 48.2, 43.2),)),
    KnownModel("cascade-mask-rcnn_swin-t", "Cascade Mask R-CNN Swin-T"),
    KnownModel("cascade-mask-rcnn_swin-s", "Cascade Mask R-CNN Swin-S"),
    KnownModel("detr_r50", "DETR R-50", (
        Checkpoint(f"{_ZOO}/v3.0/detr/detr_r50_8xb2-150e_coco/detr_r50_8xb2-150e_coco_20221023_153551-436d03e8.pth",
                   39.9),)),
)}
"""By name."""
