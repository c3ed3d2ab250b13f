"""Binarization with a scale as one operation, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness import Partition


def binarize(tensor: Tensor, scale: Tensor, partition: Partition, *, gradient_factor: float | Tensor = 1.0,
             clipped: bool = False) -> Tensor:
    """``scale * sign(tensor)``, where the sign of 0 is +1; same shape and type as ``tensor``.

    Gradients: to the tensor 1, and where ``clipped`` 0 for ``|x| > scale``; to ``scale``, shape ``(slots,)``, the sum
    of ``sign(x)`` over its slot, times ``gradient_factor``. The graph keeps the tensor alone.
    """
    result: Tensor = _Binarize.apply(tensor, scale, partition, gradient_factor, clipped)
    return result


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, scale: Tensor, partition: Partition, gradient_factor: float | Tensor,
                clipped: bool) -> Tensor:
        ctx.save_for_backward(tensor, scale)
        ctx.partition, ctx.gradient_factor, ctx.clipped = partition, gradient_factor, clipped
        spread = partition.spread(scale.detach()).to(tensor.dtype)
        return torch.where(tensor >= 0, spread, -spread)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensor, scale = ctx.saved_tensors
        partition: Partition = ctx.partition
        to_tensor = to_scale = None
        if ctx.needs_input_grad[0]:
            inside = tensor.abs() <= partition.spread(scale.detach()) if ctx.clipped else None
            to_tensor = gradient if inside is None else gradient * inside
        if ctx.needs_input_grad[1]:
            signed = torch.where(tensor >= 0, gradient, -gradient).to(scale.dtype)
            to_scale = partition.reduce(signed, "sum") * ctx.gradient_factor
        return to_tensor, to_scale, None, None, None
