"""The base of quantizers with one bit and a sign."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from harness import LearnedUniform, Partition

from .binarize import binarize

#: Scales are kept at least this large, as those of :class:`harness.LearnedUniform` are.
SMALLEST_SCALE = 1e-4


class TwoValued(LearnedUniform):
    """``-s`` or ``+s``, by the side of the centre that a number lies on; a learned s for each slot.

    A subclass says with :meth:`centred` where the centre is. ``clipped``: whether numbers beyond the scale have no
    gradient.
    """

    def __init__(self, partition: Partition, gradient_scale: Literal["numel", "l1", "off"], clipped: bool) -> None:
        super().__init__(partition, 2, "symmetric", gradient_scale=gradient_scale)  # of which one is the sign
        self.bits.fill_(1.0)
        self.clipped = clipped

    def limits(self) -> tuple[Tensor, Tensor]:
        """-1 and +1: Q_P is 1."""
        return -torch.ones_like(self.bits), torch.ones_like(self.bits)

    def centred(self, tensor: Tensor) -> Tensor:
        """What the sign is taken of."""
        return tensor

    @torch.no_grad()
    def signs(self, tensor: Tensor) -> Tensor:
        """-1 or +1 for each element: which of its slot's two values it is given."""
        return (self.centred(tensor) >= 0).to(tensor.dtype).mul_(2).sub_(1)

    def present_scale(self, tensor: Tensor) -> Tensor:
        """s of each slot, shape ``(slots,)``, with a gradient if it learns."""
        self.scale.data.clamp_(min=SMALLEST_SCALE)
        return self.scale

    def quantize(self, tensor: Tensor) -> Tensor:
        return binarize(self.centred(tensor), self.present_scale(tensor), self.partition, clipped=self.clipped,
                        gradient_factor=self.gradient_factor(tensor, self.limits()[1]))
