"""Groups of channels from equal bins of their ranges."""

from __future__ import annotations

import torch
from torch import Tensor


def equal_bins(ranges: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Range of each group, ``(groups,)``, and group of each channel, int64 ``(C,)``, from channel ranges ``(C,)``.

    Equal bins between the smallest and the largest range; ``R_g = max{r_c : c in bin g}``, 0 for an empty bin
    (Quantformer, official code).
    """
    lowest, highest = ranges.min(), ranges.max()
    width = ((highest - lowest) / groups).clamp(min=torch.finfo(ranges.dtype).tiny)
    group = ((ranges - lowest) / width).floor().long().clamp(max=groups - 1)
    largest = torch.zeros(groups, dtype=ranges.dtype, device=ranges.device).scatter_reduce(0, group, ranges, "amax")
    return largest, group


def without_empty(ranges: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """The same groups, those without channels left out and the others numbered anew."""
    used, renumbered = group.unique(return_inverse=True)
    return ranges[used], renumbered
