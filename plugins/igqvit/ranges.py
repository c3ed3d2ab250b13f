"""Ranges of the quantizers that have no instance-aware groups: weights and static activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from harness import Context, Histogram, MinMax, Partition, RangeObserver, Uniform, best_range, set_range

#: eps in percent at 4 and 6 bits (supplement A.2); other bit-widths lie on the line through them in log eps.
EPS_AT_4, EPS_AT_6 = 5e-2, 1e-3
SHRINKS = 20


def default_eps(bits: int) -> float:
    """The percentile eps, in percent, for a bit-width: 5e-2 at 4, 1e-3 at 6, 2e-5 at 8."""
    return EPS_AT_4 * float(EPS_AT_6 / EPS_AT_4) ** ((bits - 4) / 2)


class Percentiles(RangeObserver):
    """The ``percent``-th and (100 - ``percent``)-th percentile of each slot of a weight (supplement A.1)."""

    def __init__(self, partition: Partition, percent: float) -> None:
        super().__init__(partition)
        self.percent = percent
        self._ends = torch.zeros(2, partition.slots)

    def observe(self, tensor: Tensor) -> None:
        """Take the weight; slots must have equal sizes (output channels do)."""
        rows = self.partition.gather(tensor).float()
        share = self.percent / 100
        self._ends = torch.quantile(rows, rows.new_tensor([share, 1 - share]), dim=1)

    def range(self) -> tuple[Tensor, Tensor]:
        return self._ends[0], self._ends[1]


class LeastSquares(Histogram):
    """The range of least squared error inside the extremes; both ends shrink independently."""

    def __init__(self, quantizer: Uniform) -> None:
        super().__init__(quantizer.partition)
        self.quantizer = quantizer

    def range(self) -> tuple[Tensor, Tensor]:
        lower, upper = super().range()
        shrinks = torch.linspace(1, 1 / SHRINKS, SHRINKS, dtype=lower.dtype, device=lower.device)
        pairs = torch.cartesian_prod(shrinks, shrinks)
        return best_range(self.quantizer, *self.bins(), pairs[:, :1] * lower, pairs[:, 1:] * upper)


def set_static_ranges(context: Context, quantizers: Mapping[str, Uniform], how: Literal["minmax", "mse"]) -> None:
    """Range of each slot over the calibration set in full precision, one pass: extremes, or least squares."""
    if not quantizers:
        return
    observers: dict[str, RangeObserver] = {
        path: MinMax(quantizer.partition) if how == "minmax" else LeastSquares(quantizer)
        for path, quantizer in quantizers.items()}
    with context.model.full_precision():
        context.calibration.observe(context.model, sites={
            path: observer.observe for path, observer in observers.items()})
    for path, quantizer in quantizers.items():
        set_range(path, quantizer, observers[path])
