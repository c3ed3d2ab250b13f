"""From an encoded picture to the pixels that a model sees (version ``preprocessing.RULE`` of the rule).

The rule is timm's evaluation transform with ``crop_mode="center"``, with one addition: a picture
whose shorter side lies between the model's input size and the resize size was cut to size before
(many ImageNet copies are), so it is only cropped; enlarging it would magnify its content.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from harness import DataError

from .preprocessing import Preprocessing

RESAMPLING = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
               "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def load_pixels(encoded: bytes, place: str, preprocessing: Preprocessing) -> np.ndarray:
    """The resized and cropped picture, uint8 (size, size, 3) in RGB.

    Raises :class:`DataError` that names ``place`` for a damaged picture.
    """
    return np.asarray(_cropped(_resized(opened(encoded, place), preprocessing), preprocessing.size))


def opened(encoded: bytes, place: str) -> Image.Image:
    """The whole picture in RGB. Raises :class:`DataError` that names ``place`` for a damaged one."""
    try:
        with Image.open(BytesIO(encoded)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error) if encoded else "it is empty"
        raise DataError(f"picture {place} cannot be decoded: {reason}",
                        "Get the file again, or take it out of the data") from error


def _resized(picture: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    width, height = picture.size
    short, target = min(width, height), preprocessing.resize
    if preprocessing.size <= short <= target:
        return picture
    long = int(target * max(width, height) / short)  # torchvision truncates
    size = (target, long) if width <= height else (long, target)
    return picture.resize(size, RESAMPLING[preprocessing.interpolation])


def _cropped(picture: Image.Image, size: int) -> Image.Image:
    left, top = round((picture.width - size) / 2), round((picture.height - size) / 2)
    return picture.crop((left, top, left + size, top + size))
