"""Which rows of a weight share a scale, and sums over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harness import QuantizationError, Uniform


@dataclass(frozen=True)
class Rows:
    """The rows of a weight: ``slot`` of each ``(rows,)`` and bits of each slot ``(slots,)``."""

    slot: Tensor
    slot_bits: Tensor

    @classmethod
    def of(cls, quantizer: Uniform, weight: Tensor, path: str, arrange: Callable[[Tensor], Tensor]) -> Rows:
        """The rows (output channels) of ``weight`` under the partition of ``quantizer``.

        ``arrange`` makes (groups, out / groups, inner) of a tensor of its shape.

        Raises :class:`harness.QuantizationError` where a row has more than one scale, or bits outside of 3 to 8.
        """
        index = arrange(quantizer.partition.index.to(weight.device).expand(weight.shape)).flatten(0, 1)
        if not bool((index == index[:, :1]).all()):
            raise QuantizationError(f"Bit-Split needs one scale for each output channel at {path!r}, "
                                    f"not {quantizer.partition.granularity}",
                                    "Choose granularity channel, head (of q, k, v) or tensor for the weights")
        if not 3 <= float(quantizer.bits.min()) <= float(quantizer.bits.max()) <= 8:
            raise QuantizationError(f"Bit-Split needs 3 to 8 bits for a weight, not "
                                    f"{quantizer.describe()['bits']} ({path!r})", "Choose --bits in that range")
        return cls(index[:, 0], quantizer.bits.to(weight))

    @property
    def bits(self) -> Tensor:
        """Bits of each row."""
        return self.slot_bits[self.slot]

    @property
    def planes(self) -> int:
        """Bit planes of the row with the most bits."""
        return int(self.slot_bits.max()) - 1

    def has_plane(self, m: int) -> Tensor:
        """Whether each row has plane ``m``, ``(rows, 1)``."""
        return (m < self.bits - 1)[:, None]

    def spread(self, slots: Tensor) -> Tensor:
        """Per-slot values for each row, ``(rows, 1)``."""
        return slots[self.slot][:, None]

    def largest(self, rows: Tensor) -> Tensor:
        """Largest magnitude in each slot."""
        start = rows.new_zeros(len(self.slot_bits))
        return start.scatter_reduce(0, self.slot, rows.abs().amax(1), "amax")

    def sum(self, rows: Tensor) -> Tensor:
        """Sum over each slot."""
        return rows.new_zeros(len(self.slot_bits)).index_add(0, self.slot, rows.sum(1))

    def least_squares(self, product: Tensor, square: Tensor, default: Tensor) -> Tensor:
        """``sum product / sum square`` of each slot; ``default`` where that is no positive number."""
        above, below = self.sum(product), self.sum(square)
        usable = (above > 0) & (below > 0)
        return torch.where(usable, above / below.where(usable, torch.ones_like(below)), default)
