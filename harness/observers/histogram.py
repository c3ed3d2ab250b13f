"""A histogram of each slot that widens as it goes: all of a site's values in a fixed memory."""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.partition import Partition
from .ranges import MinMax, seen
from .slots import slot_rows


class Histogram(MinMax):
    """Count and mean of the values in each bin of each slot, and the exact minimum and maximum.

    Bins are ``width`` wide and aligned at 0, one half of them for each sign. Where a batch does not fit,
    the slot's width doubles (as often as needed) and neighbouring bins merge, which is exact. Memory is
    ``16 * slots * bins`` bytes.

    Because bins keep the *mean* of their values, ``sum count * (mean - c)^2`` differs from the true
    squared error to any one level ``c`` by a constant; only bins that a rounding threshold cuts
    are approximated, where both levels are about equally far away.
    """

    def __init__(self, partition: Partition, bins: int = 4096) -> None:
        super().__init__(partition)
        self.half = bins // 2
        self._counts = torch.zeros(partition.slots, 2 * self.half, dtype=torch.float64)
        self._sums = torch.zeros_like(self._counts)
        self._width = torch.zeros(partition.slots, dtype=torch.float64)  # 0: only zeros so far

    def observe(self, tensor: Tensor) -> None:
        super().observe(tensor)
        self._widen(tensor.device)
        spread = self.partition.spread
        width = torch.where(self._width > 0, self._width, torch.ones_like(self._width)).to(tensor.dtype)
        slot = torch.arange(self.partition.slots, device=tensor.device)
        # Values on the upper edge of the last bin belong to it, hence the clamp.
        place = (tensor / spread(width)).floor_().clamp_(-self.half, self.half - 1).long()
        place += self.half + spread(slot * 2 * self.half)
        flat, size, shape = place.reshape(-1), self._counts.numel(), self._counts.shape
        self._counts += torch.bincount(flat, minlength=size).reshape(shape)
        self._sums += torch.bincount(flat, tensor.reshape(-1).double(), minlength=size).reshape(shape)

    def bins(self) -> tuple[Tensor, Tensor]:
        """Mean (0 in an empty bin) and count of every bin, float32, shape ``(slots, bins)`` each."""
        return (self._sums / self._counts.clamp(min=1)).float(), self._counts.float()

    def _widen(self, device: torch.device) -> None:
        """Make the bins reach as far as the range seen."""
        lower, upper = self.range()
        reach = torch.maximum(-lower, upper).double()
        self._counts, self._sums = self._counts.to(device), self._sums.to(device)
        self._width = torch.where(self._width > 0, self._width.to(device), reach / self.half)
        ratio = torch.where(reach > 0, reach / (self._width * self.half), torch.ones_like(reach))
        doublings = ratio.log2().ceil().clamp(min=0)
        if bool(doublings.any()):
            factor = 2.0 ** doublings
            start = torch.arange(-self.half, self.half, device=device)
            place = (start / factor[:, None]).floor().long() + self.half
            self._counts = torch.zeros_like(self._counts).scatter_add_(1, place, self._counts)
            self._sums = torch.zeros_like(self._sums).scatter_add_(1, place, self._sums)
            self._width = self._width * factor


class Elements(MinMax):
    """The elements of a single tensor (a weight), as a histogram would give them, but exact."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(partition)
        self._elements: tuple[Tensor, Tensor] | None = None

    def observe(self, tensor: Tensor) -> None:
        """Take the tensor; a later one replaces it."""
        super().observe(tensor)
        values, sizes = slot_rows(self.partition, tensor)
        valid = torch.arange(values.shape[1], device=tensor.device) < sizes[:, None]
        self._elements = values, valid.to(values.dtype)

    def bins(self) -> tuple[Tensor, Tensor]:
        """The values and how often each counts (0 for padding), shape ``(slots, elements)`` each."""
        return seen(self._elements)
