"""Sums for every candidate of one operand while the other is held, without repeating the product.

The product is ``T Z``: ``T`` (..., r, k) is the operand whose candidates are compared, ``Z`` (..., k, c) the
held one. With ``D = T_hat - T`` of a candidate and ``E = Z_hat - Z``, the output's error is ``D Z_hat + T E``.
Two equivalent forms, both with one matrix product a candidate of the smaller size:

- *direct* (c <= k): the error itself, from ``T E`` computed once;
- *Gram* (k < c): ``sum e^2 = <D, D M + 2 T P> + <T, T Q>`` and ``sum Y e = <D, T (M - P)> + <T, T (P' - Q)>`` with
  the (k, k) matrices ``M = Z_hat Z_hat'``, ``P = E Z_hat'``, ``Q = E E'``; ``c`` does not appear at all. For a
  weight, ``Z`` is the transposed input of all calibration samples, and c their number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Sums of one tensor (b, r, k) that are linear in it, float64.
Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Grams:
    """``M``, ``P``, ``Q`` of the held operand, shape (..., k, k)."""

    m: Tensor
    p: Tensor
    q: Tensor

    @classmethod
    def of(cls, exact: Tensor, quantized: Tensor) -> Grams:
        """From ``Z`` and ``Z_hat`` of shape (..., k, c)."""
        error, transposed = quantized - exact, quantized.mT
        return cls(quantized @ transposed, error @ transposed, error @ error.mT)

    def map(self, change: Callable[[Tensor], Tensor]) -> Grams:
        """The same function of all three."""
        return Grams(change(self.m), change(self.p), change(self.q))

    def add_(self, other: Grams) -> Grams:
        """Add other rows' matrices to these."""
        return Grams(self.m.add_(other.m), self.p.add_(other.p), self.q.add_(other.q))


@dataclass(frozen=True)
class Part:
    """``yy`` = sum Y^2 () and, for C candidates, ``ee`` = sum e^2 (C,) and ``ye`` = sum Y e (C,); float64.

    ``changes`` (C, ...): a linear function of each candidate's ``D``.
    """

    yy: Tensor
    ee: Tensor
    ye: Tensor
    changes: Tensor


def direct(target: Tensor, exact: Tensor, quantized: Tensor, candidates: Iterable[Tensor], linear: Linear) -> Part:
    """The direct form: ``T`` (b, r, k), ``Z`` and ``Z_hat`` (b, k, c), each ``T_hat`` new memory like ``T``."""
    output, base = target @ exact, target @ (quantized - exact)
    ee, ye, changes = [], [], []
    for candidate in candidates:
        change = candidate.sub_(target)
        error = torch.baddbmm(base, change, quantized)
        ee.append(_inner(error, error))
        ye.append(_inner(output, error))
        changes.append(linear(change))
    return Part(_inner(output, output), torch.stack(ee), torch.stack(ye), torch.stack(changes))


def by_grams(target: Tensor, grams: Grams, candidates: Iterable[Tensor], linear: Linear) -> Part:
    """The Gram form: ``T`` (b, r, k), Gram matrices (b, k, k), each ``T_hat`` new memory like ``T``."""
    m, p, q = grams.m, grams.p, grams.q
    twice, pull = 2 * (target @ p), target @ (m - p)
    ee_held = _inner(target, target @ q)
    ye_held = _inner(target, target @ (p.mT - q))
    ee, ye, changes = [], [], []
    for candidate in candidates:
        change = candidate.sub_(target)
        ee.append(_inner(change, torch.baddbmm(twice, change, m)))
        ye.append(_inner(change, pull))
        changes.append(linear(change))
    yy = _inner(target, target @ (m - p - p.mT + q))
    return Part(yy, torch.stack(ee) + ee_held, torch.stack(ye) + ye_held, torch.stack(changes))


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """Sum of products: within a row in the tensors' own precision, over rows in float64."""
    total: Tensor = torch.linalg.vecdot(left, right).sum(dtype=torch.float64)
    return total
