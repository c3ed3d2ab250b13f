"""Straight-through rounding and gradient scaling.

Convention of the whole project: ``round(x / s)`` to nearest, half to even. Fused kernels multiply
by ``1 / s`` and differ in a few elements per million; they are not used.
"""

from __future__ import annotations

import torch
from torch import Tensor


class _RoundStraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:  # type: ignore[override]
        return value.round()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient


def round_ste(value: Tensor) -> Tensor:
    """Round to nearest (half to even); the gradient passes unchanged (straight-through estimator)."""
    return _RoundStraightThrough.apply(value)


def scale_gradient(value: Tensor, factor: float | Tensor) -> Tensor:
    """``value`` unchanged; its gradient multiplied by ``factor`` (LSQ, Esser et al. 2020, sec. 2.2)."""
    scaled = value * factor
    return value.detach() + (scaled - scaled.detach())
