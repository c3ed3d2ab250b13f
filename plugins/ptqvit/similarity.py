"""Similarity of outputs from sums over the calibration set.

With reference output ``O = Y + b`` (``Y`` without bias) and quantized output ``O_hat = O + e + delta``,
where ``delta`` is what bias correction added, everything follows from sums of ``Y`` and of the errors
``e``. Working with errors keeps the small difference between 1 and the similarity exact to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Similarity = Literal["pearson", "cosine", "mse", "off"]


@dataclass(frozen=True)
class Sums:
    """Sums over ``rows`` outputs of each of ``m`` columns (output units), for C candidates; float64.

    ``yy`` () = sum Y^2, ``y`` (m,) = column sums of Y; ``ee`` (C,) = sum e^2, ``ye`` (C,) = sum Y e,
    ``e`` (C, m) = column sums of e. An output without bias may be treated as one long column.
    """

    rows: int
    yy: Tensor
    y: Tensor
    ee: Tensor
    ye: Tensor
    e: Tensor

    def __add__(self, other: Sums) -> Sums:
        """Of both sets of rows; the same columns and candidates."""
        return Sums(self.rows + other.rows, *(mine + others for mine, others in zip(
            self._tensors, other._tensors, strict=True)))

    def of(self, candidates: Tensor) -> Sums:
        """For some of the candidates (indices, or a mask)."""
        return replace(self, ee=self.ee[candidates], ye=self.ye[candidates], e=self.e[candidates])

    @property
    def _tensors(self) -> tuple[Tensor, ...]:
        return self.yy, self.y, self.ee, self.ye, self.e


#: Sums over one block of the calibration set, for candidates given by their factors.
Measure = Callable[[Sequence[float]], Sums]


def losses(sums: Sums, kind: Similarity, bias: Tensor, shift: Tensor) -> Tensor:
    """``-Gamma`` of each candidate, shape (C,), float64.

    ``bias`` (m,) is the layer's own, ``shift`` (m,) what bias correction added to it. ``pearson`` is eq. 12,
    pooled over all elements; ``cosine`` the same without subtracting means; ``mse`` the mean squared
    error itself; ``off`` is 0. A constant reference is matched (similarity 1) only by an error that
    is constant too; an output that lost all variation has similarity 0.
    """
    if kind == "off":
        return torch.zeros_like(sums.ee)
    n, total = sums.rows, sums.rows * len(bias)
    oo = sums.yy + 2 * bias @ sums.y + n * bias @ bias
    ee = sums.ee + 2 * sums.e @ shift + n * shift @ shift
    if kind == "mse":
        return ee / total
    oe = sums.ye + sums.e @ bias + sums.y @ shift + n * bias @ shift
    # Below these, sums of squares are rounding of what was subtracted.
    floor = 1e-14 * oo
    if kind == "pearson":
        mean, error = (sums.y + n * bias).sum() / total, (sums.e + n * shift).sum(-1) / total
        oo, ee, oe = oo - total * mean ** 2, ee - total * error ** 2, oe - total * mean * error
    if oo <= floor:
        return torch.where(ee <= floor, -1.0, 0.0).to(ee.dtype)
    along, residual = oe / oo, (ee / oo - (oe / oo) ** 2).clamp(min=0)
    variance = (1 + along) ** 2 + residual
    return torch.where(variance * oo > floor, -(1 + along) / variance.clamp(min=1e-300).sqrt(), 0.0)
