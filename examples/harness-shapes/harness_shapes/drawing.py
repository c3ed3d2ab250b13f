"""The samples: a disc and a square on a noisy ground, and the class of every pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE, CLASSES = 24, ("ground", "disc", "square")
_NOISE = 0.4


@dataclass
class PictureBatch:
    """Pictures (batch, 1, SIDE, SIDE), and the class of each pixel, int64 (batch, SIDE, SIDE)."""

    inputs: Tensor
    targets: Tensor


class Pictures:
    """Drawn pictures; each is a function of its split and number alone."""

    def __init__(self, split: str, count: int, first_seed: int) -> None:
        self.ids: Sequence[str] = [f"{split}-{index}" for index in range(count)]
        self._first_seed = first_seed

    def batches(self, indices: Sequence[int], size: int) -> Iterator[PictureBatch]:
        for start in range(0, len(indices), size):
            drawn = [draw(self._first_seed + index) for index in indices[start:start + size]]
            yield PictureBatch(torch.stack([picture for picture, _ in drawn]), torch.stack([mask for _, mask in drawn]))


def draw(seed: int) -> tuple[Tensor, Tensor]:
    """A picture and its mask. The square is drawn over the disc."""
    generator = torch.Generator().manual_seed(seed)
    (row, column), (top, left) = torch.randint(5, SIDE - 5, (2, 2), generator=generator).tolist()
    radius, half = torch.randint(3, 7, (2,), generator=generator).tolist()
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    mask = torch.zeros(SIDE, SIDE, dtype=torch.int64)
    mask[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    mask[((rows - top).abs() < half) & ((columns - left).abs() < half)] = 2
    brightness = torch.tensor([0.0, 1.0, 1.6]) + 0.4 * torch.rand(len(CLASSES), generator=generator)
    noise = _NOISE * torch.randn(SIDE, SIDE, generator=generator)
    return (brightness[mask] + noise).unsqueeze(0), mask


def training_pictures() -> Pictures:
    """What the model was trained on; calibration samples are drawn from it."""
    return Pictures("train", 1024, 0)


def evaluation_pictures() -> Pictures:
    """What figures are measured on."""
    return Pictures("test", 200, 1_000_000)
