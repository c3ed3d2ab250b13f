"""Pictures as a model takes them, a batch at a time, from files or from the embedded digits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import __version__ as pillow_version
from torch import Tensor

from harness import digest

from . import digits
from .images import load_pixels
from .mini_models import MiniModel
from .pixel_cache import PixelCache
from .preprocessing import Channels, Preprocessing
from .split import Split

_CHUNK = 128  # Digits drawn at once.


@dataclass
class ImageBatch:
    """``inputs``: normalised pictures, float32 (batch, 3, height, width); ``targets``: classes, int64 (batch,)."""

    inputs: Tensor
    targets: Tensor


class ImageSamples:
    """The pictures of a split on disk. Each is decoded once; memory does not grow with their number."""

    def __init__(self, split: Split, role: str, preprocessing: Preprocessing) -> None:
        self.ids: Sequence[str] = [f"{role}/{name}" for name in split.names]
        self._split, self._preprocessing = split, preprocessing
        self._shape = (preprocessing.size, preprocessing.size, 3)
        # Another Pillow may bring another JPEG decoder, and with it other pixels.
        key = digest([split.stamp, preprocessing.identity, f"pillow {pillow_version}"])
        self._cache = PixelCache(key, self._shape)

    def batches(self, indices: Sequence[int], size: int) -> Iterator[ImageBatch]:
        """See :class:`harness.Samples`. Raises :class:`DataError` for a damaged picture."""
        for start in range(0, len(indices), size):
            chosen = list(indices[start:start + size])
            labels = torch.tensor([self._split.labels[index] for index in chosen])
            pixels = self._pixels(chosen)
            yield ImageBatch(normalise(pixels, self._preprocessing.mean, self._preprocessing.std), labels)

    def _pixels(self, indices: Sequence[int]) -> np.ndarray:
        pixels = np.empty((len(indices), *self._shape), dtype=np.uint8)
        missing = [place for place, index in enumerate(indices) if not self._cache.read(index, pixels[place])]
        if missing:
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1, len(missing))) as pool:
                decoded = pool.map(self._decode, [indices[place] for place in missing])
                for place, picture in zip(missing, decoded, strict=True):
                    pixels[place] = picture
                    self._cache.write(indices[place], picture)
        return pixels

    def _decode(self, index: int) -> np.ndarray:
        return load_pixels(self._split.read(index), self._split.place(index), self._preprocessing)


class DigitSamples:
    """The first ``count`` pictures of a split of the embedded digits."""

    def __init__(self, split: str, count: int, model: MiniModel) -> None:
        self.ids: Sequence[str] = [f"digits-{model.classes}/{split}/{index}" for index in range(count)]
        self._split, self._model = split, model

    def batches(self, indices: Sequence[int], size: int) -> Iterator[ImageBatch]:
        """See :class:`harness.Samples`."""
        for start in range(0, len(indices), size):
            drawn = [drawn_digit(self._split, index, self._model.classes) for index in indices[start:start + size]]
            pixels = np.stack([pixels for pixels, _ in drawn])
            yield ImageBatch(normalise(pixels, self._model.mean, self._model.std),
                             torch.tensor([label for _, label in drawn]))

def drawn_digit(split: str, index: int, classes: int) -> tuple[np.ndarray, int]:
    """One picture of the embedded digits, uint8 (32, 32, 3), and its label."""
    pixels, labels = _drawn(split, index // _CHUNK, classes)
    return pixels[index % _CHUNK], int(labels[index % _CHUNK])


@lru_cache(maxsize=112)  # 44 MB: the evaluation split of 4,000 pictures and the 8,192 that are trained on
def _drawn(split: str, chunk: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    start = chunk * _CHUNK
    return digits.generate(split, start, min(_CHUNK, digits.SPLIT_SIZES[split] - start), classes)


def normalise(pixels: np.ndarray, mean: Channels, std: Channels) -> Tensor:
    """uint8 (batch, height, width, 3) -> float32 (batch, 3, height, width): ``(pixels / 255 - mean) / std``."""
    inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    shape = (1, 3, 1, 1)
    return inputs.div_(255).sub_(torch.tensor(mean).view(shape)).div_(torch.tensor(std).view(shape))
