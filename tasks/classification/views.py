"""Views of training pictures: augmented by numbers that come from the view's seed alone."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from harness import View

from .images import RESAMPLING, load_pixels, opened
from .mini_models import MiniModel
from .preprocessing import Preprocessing
from .samples import ImageBatch, drawn_digit, normalise
from .split import Split

TRAINING_DIGITS = 8_192
"""Pictures of an epoch at the mini scale: the first ones of the train split."""

_SHIFT = 2  # Pixels by which a small picture is moved, at most.
_AREA = (0.08, 1.0)  # Of the picture, and its sides' ratio: Inception's crops, as torchvision's defaults.
_RATIO = (3 / 4, 4 / 3)


class DigitViews:
    """The training pictures of the mini scale, each moved by up to two pixels."""

    def __init__(self, model: MiniModel) -> None:
        self._model = model
        self.ids: Sequence[str] = [f"digits-{model.classes}/train/{index}" for index in range(TRAINING_DIGITS)]

    def batch(self, views: Sequence[View]) -> ImageBatch:
        """See :class:`harness.TrainingSamples`."""
        drawn = [drawn_digit("train", view.index, self._model.classes) for view in views]
        pixels = np.stack([_moved(pixels, view.seed) for (pixels, _), view in zip(drawn, views, strict=True)])
        return ImageBatch(normalise(pixels, self._model.mean, self._model.std),
                          torch.tensor([label for _, label in drawn]))


class ImageViews:
    """The pictures of a train split, each randomly cropped, resized to the model's input, and mirrored half the time.

    With a seed of ``None`` a view is what evaluation would see.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing) -> None:
        self.ids: Sequence[str] = [f"train/{name}" for name in split.names]
        self._split, self._preprocessing = split, preprocessing

    def batch(self, views: Sequence[View]) -> ImageBatch:
        """See :class:`harness.TrainingSamples`. Raises :class:`harness.DataError` for a damaged picture."""
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1, len(views))) as pool:
            pixels = np.stack(list(pool.map(self._one, views)))
        labels = torch.tensor([self._split.labels[view.index] for view in views])
        return ImageBatch(normalise(pixels, self._preprocessing.mean, self._preprocessing.std), labels)

    def _one(self, view: View) -> np.ndarray:
        encoded, place = self._split.read(view.index), self._split.place(view.index)
        if view.seed is None:
            return load_pixels(encoded, place, self._preprocessing)
        picture, random = opened(encoded, place), np.random.default_rng(view.seed)
        size = (self._preprocessing.size, self._preprocessing.size)
        cropped = picture.resize(size, RESAMPLING[self._preprocessing.interpolation],
                                 box=crop_box(picture.width, picture.height, random))
        return np.asarray(cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else cropped)


def crop_box(width: int, height: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """A random part of a picture: left, top, right, bottom (Szegedy et al. 2015).

    Its area is 8 to 100 % of the picture's and its sides' ratio 3/4 to 4/3 (uniform in the logarithm); where ten
    draws do not fit into the picture, the largest centred part whose ratio is allowed.
    """
    for _ in range(10):
        area = width * height * random.uniform(*_AREA)
        ratio = math.exp(random.uniform(math.log(_RATIO[0]), math.log(_RATIO[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(random.integers(width - wide + 1)), int(random.integers(height - high + 1))
            return left, top, left + wide, top + high
    wide, high = min(width, round(height * _RATIO[1])), min(height, round(width / _RATIO[0]))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def _moved(pixels: np.ndarray, seed: int | None) -> np.ndarray:
    """A picture (height, width, 3) moved by up to two pixels; what comes in repeats its edge."""
    if seed is None:
        return pixels
    down, right = np.random.default_rng(seed).integers(0, 2 * _SHIFT + 1, size=2)
    padded = np.pad(pixels, ((_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), mode="edge")
    return padded[down:down + pixels.shape[0], right:right + pixels.shape[1]]
