"""The squared error that candidate ranges would cause, for many candidates and slots at once."""

from __future__ import annotations

import torch
from torch import Tensor

from ..quantizers.uniform import Uniform, affine_parameters, integer_limits

#: Elements of one temporary: candidates are taken a few at a time, so that it stays in the cache.
_CHUNK = 1 << 21


def range_errors(quantizer: Uniform, values: Tensor, counts: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """``sum_k counts * (values - Q(values))^2`` for each candidate range, ``(candidates, slots)``.

    ``values`` and ``counts``: ``(slots, k)``, the elements of each slot with their multiplicities (the
    bins of a :class:`Histogram`, or a weight's rows with ones). ``lower``, ``upper``: candidate ranges,
    ``(candidates, slots)``; Q quantizes with the bits and the scheme of ``quantizer``.
    """
    bits = quantizer.bits.to(values.device)
    low, high = integer_limits(bits, quantizer.scheme)
    step = max(1, _CHUNK // max(1, values.numel()))
    errors = []
    for first, last in zip(lower.split(step), upper.split(step), strict=True):
        scale, zero = affine_parameters(first, last, bits, quantizer.scheme)
        scale, zero = scale[..., None], zero[..., None]
        levels = (values / scale).round_()
        torch.clamp(levels, low[:, None] - zero, high[:, None] - zero, out=levels)
        errors.append((levels.mul_(scale).sub_(values).square_().mul_(counts)).sum(-1, dtype=torch.float64))
    return torch.cat(errors)


def best_range(quantizer: Uniform, values: Tensor, counts: Tensor, lower: Tensor, upper: Tensor
               ) -> tuple[Tensor, Tensor]:
    """The candidate of least squared error in each slot (the first of equals), ``(slots,)`` each."""
    best = range_errors(quantizer, values, counts, lower, upper).argmin(0, keepdim=True)
    return lower.gather(0, best)[0], upper.gather(0, best)[0]
