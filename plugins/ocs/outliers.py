"""Which channels of an activation have most of its outliers, on calibration data."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Histogram, Partition

from .options import Rank


class OutlierChannels:
    """Ranks the channels of one activation by the values above a percentile of all its absolute values.

    A first pass finds the percentile, a second one looks at each channel's values above it: how many (``count``) or by
    how much they exceed it in sum (``excess``). ``axis``: where the ``channels`` lie (negative).
    """

    def __init__(self, channels: int, axis: int, percentile: float, rank: Rank) -> None:
        self.axis, self.share, self.rank = axis, percentile / 100, rank
        self.scores = torch.zeros(channels, dtype=torch.float64)
        self._histogram = Histogram(Partition.tensor())
        self._level: Tensor | None = None

    def observe_level(self, tensor: Tensor) -> None:
        """First pass: take one batch."""
        self._histogram.observe(tensor.abs())

    def observe_outliers(self, tensor: Tensor) -> None:
        """Second pass: take the same batch again."""
        if self._level is None:
            self._level = self.level
        above = (tensor.abs() - self._level.to(tensor)).movedim(self.axis, 0).flatten(1)
        score = (above > 0).double() if self.rank == "count" else above.clamp(min=0).double()
        self.scores += score.sum(1).cpu()

    @property
    def level(self) -> Tensor:
        """The percentile: mean of the first bin of the histogram at which its share is reached."""
        means, counts = self._histogram.bins()
        reached = counts[0].double().cumsum(0) >= self.share * counts[0].double().sum()
        return means[0][int(reached.double().argmax())]

    def top(self, count: int) -> Tensor:
        """The ``count`` channels with the highest scores, int64, the highest first (the first of equals)."""
        return self.scores.argsort(descending=True, stable=True)[:count]
