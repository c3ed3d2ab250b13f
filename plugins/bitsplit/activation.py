"""The scale of an activation: least squares on its integers, from a histogram."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Histogram, Uniform


@torch.no_grad()
def set_scale(quantizer: Uniform, histogram: Histogram, limit: int = 1000) -> None:
    """Alternate rounding and ``s = <x, q> / <q, q>`` from the full range on, until s stands still.

    The zero point of an asymmetric quantizer stays that of the full range.
    """
    quantizer.set_range(*histogram.range())
    values, counts = histogram.bins()
    low, high = (limits[:, None] for limits in quantizer.limits())
    scale = quantizer.scale.detach().clone()
    for _ in range(limit):
        levels = (values / scale[:, None]).round().clamp(low, high)
        above, below = _weighted(counts, values * levels), _weighted(counts, levels.square())
        usable = (above > 0) & (below > 0)
        new = torch.where(usable, above / below.where(usable, torch.ones_like(below)), scale.double()).to(scale)
        if torch.equal(new, scale):
            break
        scale = new
    quantizer.scale.copy_(scale)


def _weighted(counts: Tensor, values: Tensor) -> Tensor:
    return (counts * values).sum(-1, dtype=torch.float64)
