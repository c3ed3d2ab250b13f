"""Uniform fake quantization with a learned scale as one operation, forward and backward.

The graph keeps the input alone: what the backward needs is computed from it again. Gradients are those
of LSQ (Esser et al., ICLR 2020, eq. 3 and 4), of LSQ+ for the offset (Bhalgat et al., CVPR-W 2020), and of
Q-ViT for the limits (Li et al., 2022, eq. 7 and 8).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..model.partition import Partition


def fake_quantize(tensor: Tensor, scale: Tensor, low: Tensor, high: Tensor, partition: Partition, *,
                  offset: Tensor | None = None, gradient_factor: float | Tensor = 1.0) -> Tensor:
    """``s * round(clip((x - o) / s, low, high)) + o``, with the gradients that the papers give it.

    Args:
        tensor: any shape that ``partition`` fits, any strides, any floating type.
        scale: step s of each slot, shape ``(slots,)``, > 0.
        low: smallest integer of each slot, shape ``(slots,)``; may carry a gradient (learned bits).
        high: largest integer of each slot, likewise.
        partition: which slot each element uses.
        offset: o of each slot, shape ``(slots,)``; none means 0.
        gradient_factor: multiplies the gradient of ``scale`` only; a number, or one of each slot.

    Returns:
        The quantized tensor, of the shape and type of ``tensor``; computed in the wider of its type and the scale's.

    With ``v = (x - o) / s``, the gradient is: to x 1 where ``low <= v <= high``, else 0; to s ``round(v) - v``
    inside, ``low`` below and ``high`` above; to ``low`` s below, to ``high`` s above; to o 0 inside, 1 outside.
    """
    result: Tensor = _FakeQuantize.apply(tensor, scale, low, high, offset, gradient_factor, partition)
    return result


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, scale: Tensor, low: Tensor, high: Tensor, offset: Tensor | None,
                gradient_factor: float | Tensor, partition: Partition) -> Tensor:
        ctx.save_for_backward(tensor, scale, low, high, offset)
        ctx.gradient_factor, ctx.partition = gradient_factor, partition
        spread = partition.spread
        quantized = tensor / spread(scale) if offset is None else (tensor - spread(offset)) / spread(scale)
        quantized = quantized.clamp_(spread(low), spread(high)).round_().mul_(spread(scale))
        if offset is not None:
            quantized.add_(spread(offset))
        return quantized.to(tensor.dtype).reshape(tensor.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensor, scale, low, high, offset = ctx.saved_tensors
        partition: Partition = ctx.partition
        spread = partition.spread
        to_tensor, to_scale, to_low, to_high, to_offset = ctx.needs_input_grad[:5]
        value = (tensor if offset is None else tensor - spread(offset)) / spread(scale)
        below, above = value < spread(low), value > spread(high)
        inside = ~(below | above)

        def summed(values: Tensor) -> Tensor:
            return partition.reduce(values, "sum").to(scale.dtype)

        wide = gradient.to(value.dtype)
        grad_scale = None
        if to_scale:
            slope = torch.where(inside, value.round() - value, value.clamp(spread(low), spread(high)))
            grad_scale = summed(wide * slope) * ctx.gradient_factor
        return (gradient * inside if to_tensor else None, grad_scale,
                summed(wide * below) * scale if to_low else None,
                summed(wide * above) * scale if to_high else None,
                summed(wide * ~inside) if to_offset else None, None, None)
