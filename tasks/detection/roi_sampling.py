"""Where RoIAlign samples a feature map, and what each cell of the map then weighs.

RoIAlign (He et al., Mask R-CNN, 2017) cuts a box into equal bins and averages, or takes the maximum
of, bilinear samples at a regular grid of positions in each bin. Rows and columns are independent: the
weight of a cell in a bin is its weight along y times its weight along x. Coordinates are in cells of
the feature map. K boxes; P bins along an axis; S samples of a bin along an axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness import HarnessError

#: Elements of the largest temporary tensor.
CHUNK = 2 ** 22


@dataclass(frozen=True)
class Axis:
    """The bins of K boxes along one axis of a feature map that has ``cells`` rows (or columns)."""

    start: Tensor  # (K,)
    bin_size: Tensor  # (K,)
    samples: Tensor  # (K,) samples in a bin; 0 under the adaptive grid for a box without extent
    bins: int
    cells: int

    @property
    def taps(self) -> Tensor:
        """How many consecutive cells hold all that the samples of one bin touch, (K,)."""
        spread = self.bin_size * (self.samples - 1) / self.samples.clamp(min=1)
        return (spread.ceil().long() + 2).clamp(max=self.cells)

    def positions(self, boxes: Tensor, samples: int) -> Tensor:
        """Sample positions (k, P, S) of the chosen boxes, which have ``samples`` in a bin each.

        Computed in the compiled kernel's order of operations, so that a position at the very border of
        the map falls on the same side of it.
        """
        start, size = self.start[boxes, None, None], self.bin_size[boxes, None, None]
        index = torch.arange(self.bins, device=start.device, dtype=start.dtype)[:, None]
        inside = torch.arange(samples, device=start.device, dtype=start.dtype) + 0.5
        return start + index * size + inside * size / samples


@dataclass(frozen=True)
class Alike:
    """Boxes of one shape of table: of equal numbers of samples and of taps along y and along x."""

    boxes: Tensor
    samples: tuple[int, int]
    taps: tuple[int, int]

    def chunks(self, elements: int) -> Iterator[Alike]:
        """Parts that bound the memory, where one box makes a tensor of so many ``elements``."""
        for boxes in self.boxes.split(max(1, CHUNK // elements)):
            yield replace(self, boxes=boxes)


def box_axis(low: Tensor, high: Tensor, bins: int, cells: int, scale: float, sampling_ratio: int,
             aligned: bool) -> Axis:
    """The bins between ``low`` and ``high``, (K,) each, in pixels of the picture.

    ``aligned`` says that a cell's value sits at its centre; without it the box is not shifted by that
    half cell, and is at least one cell long. ``sampling_ratio`` 0 takes as many samples as a bin has
    cells, rounded up.

    Raises:
        HarnessError: a box that ends before it starts, or a coordinate that is not finite.
    """
    offset = 0.5 if aligned else 0.0
    dtype = torch.promote_types(low.dtype, torch.float32)
    start, end = low.to(dtype) * scale - offset, high.to(dtype) * scale - offset
    length = end - start if aligned else (end - start).clamp(min=1)
    if not bool((length.isfinite() & (length >= 0)).all()):
        raise HarnessError("RoIAlign was given a box that is reversed or not finite",
                           "The model's box coordinates are wrong: check its weights and bit-widths for NaN")
    bin_size = length / bins
    samples = torch.full_like(low, sampling_ratio) if sampling_ratio > 0 else bin_size.ceil()
    return Axis(start, bin_size, samples.long(), bins, cells)


def alike(y: Axis, x: Axis) -> Iterator[Alike]:
    """The boxes in groups that can be computed at once; boxes without any sample are in none."""
    kinds, kind = torch.stack([y.samples, x.samples, y.taps, x.taps], 1).unique(dim=0, return_inverse=True)
    for index, (samples_y, samples_x, taps_y, taps_x) in enumerate(kinds.tolist()):
        if samples_y and samples_x:
            yield Alike((kind == index).nonzero()[:, 0], (samples_y, samples_x), (taps_y, taps_x))


def interpolation(positions: Tensor, taps: int, cells: int) -> tuple[Tensor, Tensor]:
    """Bilinear weights, along one axis, of the cells under a bin, averaged over the bin's samples.

    ``positions`` (..., S) increase along the last axis. Returns cells and weights, (..., taps) each. A
    position up to one cell outside of the map takes the value of the border; one further out is a
    sample of value zero.
    """
    inside = (positions >= -1) & (positions <= cells)
    positions = positions.clamp(0, cells - 1)
    first = positions[..., :1].floor().clamp(max=cells - taps)
    cell = first + torch.arange(taps, device=positions.device, dtype=positions.dtype)
    weight = 1 - (positions[..., :, None] - cell[..., None, :]).abs()
    return cell.int(), (weight.clamp_(min=0) * inside[..., None]).mean(-2)


def outer(y: tuple[Tensor, Tensor], x: tuple[Tensor, Tensor], width: int) -> tuple[Tensor, Tensor]:
    """Cells and weights of two axes, (k, rows, taps) and (k, columns, taps), as one table.

    Returns flat cell indices ``row * width + column`` and weights, (k * rows * columns, taps * taps) each.
    """
    (row, row_weight), (column, column_weight) = y, x
    cell = row[:, :, None, :, None] * width + column[:, None, :, None, :]
    weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
    return cell.flatten(3).flatten(0, 2), weight.flatten(3).flatten(0, 2)
