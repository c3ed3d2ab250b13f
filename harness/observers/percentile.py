"""Percentiles of each batch, averaged over the batches (FQN, Li et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..model.partition import Partition
from .ranges import RangeObserver, seen
from .slots import slot_rows


class MovingPercentile(RangeObserver):
    """Lower and upper percentile of each slot in each batch, as an exponential moving average.

    ``percents`` (99.999: of the elements, 0.001 % lie above the upper and as many below the lower end)
    may be several: :attr:`candidates` then has a row for each, and :meth:`range` is the first.
    """

    def __init__(self, partition: Partition, percents: Sequence[float] = (99.999,), rate: float = 0.01) -> None:
        super().__init__(partition)
        self.tails = torch.tensor([1 - percent / 100 for percent in percents], dtype=torch.float64)
        self.rate = rate
        self._bounds: tuple[Tensor, Tensor] | None = None

    def observe(self, tensor: Tensor) -> None:
        rows, counts = slot_rows(self.partition, tensor, fill=-torch.inf)
        upper = upper_quantiles(rows, counts, self.tails)
        lower = -upper_quantiles(torch.where(torch.isinf(rows), rows, -rows), counts, self.tails)
        if self._bounds is None:
            self._bounds = lower, upper
        else:
            self._bounds = (torch.lerp(self._bounds[0], lower, self.rate),
                            torch.lerp(self._bounds[1], upper, self.rate))

    @property
    def candidates(self) -> tuple[Tensor, Tensor]:
        """Lower and upper ends, shape ``(percents, slots)`` each."""
        return seen(self._bounds)

    def range(self) -> tuple[Tensor, Tensor]:
        lower, upper = self.candidates
        return lower[0], upper[0]


def upper_quantiles(rows: Tensor, counts: Tensor, tails: Tensor) -> Tensor:
    """Quantiles ``1 - tails`` of the first ``counts`` elements of each row, shape ``(tails, slots)``.

    Interpolates linearly between the two nearest elements, like ``torch.quantile``, but sorts only the
    tail and has no limit of size. Rows are padded with ``-inf``; the quantile of an empty row is 0.
    """
    last = (counts - 1).clamp(min=0)
    depth = tails.to(rows.device)[:, None] * last  # how far from the top, in elements
    above = depth.floor().long()
    below = torch.minimum(above + 1, last)
    top = rows.topk(int(below.max()) + 1, dim=1).values
    fraction = (depth - above).to(rows.dtype)
    high, low = top.gather(1, above.T).T, top.gather(1, below.T).T
    result = high + fraction * (low - high)
    return torch.where(counts > 0, result, torch.zeros_like(result))
