"""How a picture becomes a model's input. Light: no torch, no numpy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from harness import DataError, Options

FILE = "preprocess.toml"
"""Name of the file beside the data that overrides a checkpoint's preprocessing."""

RULE = 1
"""Version of the rule in :mod:`.images`; enters the data fingerprint."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Channels = tuple[float, float, float]


class Preprocessing(Options):
    """Resize the shorter side, crop the centre, normalise: see :mod:`.images` for the exact rule."""

    size: int = Field(default=224, gt=0, description="height and width of the model's input, in pixels")
    resize: int = Field(default=248, gt=0, description="what the shorter side is resized to before cropping")
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field(
        default="bicubic", description="how pixels are interpolated")
    mean: Channels = Field(default=IMAGENET_MEAN, description="mean of the RGB channels, of pixel values / 255")
    std: Channels = Field(default=IMAGENET_STD, description="their standard deviation, on the same scale")

    @model_validator(mode="after")
    def _crop_inside(self) -> Preprocessing:
        if self.resize < self.size:
            raise ValueError(f"resize ({self.resize}) must be at least size ({self.size})")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self

    @property
    def identity(self) -> str:
        """A text that changes with whatever changes the pixels that a model sees."""
        return f"rule {RULE} {self.model_dump_json()}"


def read_overrides(folder: Path) -> Mapping[str, Any]:
    """What ``preprocess.toml`` in ``folder`` says; empty where there is none. Raises :class:`DataError`."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "Example of a line: resize = 224") from error


def override(base: Preprocessing, overrides: Mapping[str, Any], source: str) -> Preprocessing:
    """``base`` with some fields replaced; raises :class:`DataError` that names ``source`` and the field."""
    try:
        return Preprocessing(**{**base.model_dump(), **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its values"
        raise DataError(f"{source}: {where}: {first['msg']}",
                        f"Fields: {', '.join(Preprocessing.model_fields)}") from None
