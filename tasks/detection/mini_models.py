"""The small trained models of the mini scale: mmdet's detectors, narrow and shallow. Light: no torch, no mmdet.

``train_mini.py`` trains them on the scenes of ``scenes.py``. Their weights lie beside this file, and
``weights/README.md`` says how each was made. Their configurations are in ``configs.py``.
"""

from __future__ import annotations

from pathlib import Path

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"
"""Where the safetensors files of the trained models lie."""

MINI_MODELS = ("mask_rcnn_mini", "cascade_mask_rcnn_mini", "detr_mini")
"""Names of the small models: one for each task."""


def weights_path(name: str) -> Path:
    """The file with a model's trained weights."""
    return WEIGHTS_FOLDER / f"{name}.safetensors"
