"""Uniform fake quantization with a learned scale as one operation, forward and backward.

The graph keeps the input alone: what the backward needs is computed from it again, piece by piece, so that the
intermediate results stay in the cache. Gradients are those of LSQ (Esser et al., ICLR 2020, eq. 3), of LSQ+ for
the offset (Bhalgat et al., CVPR-W 2020), and of Q-ViT for the limits (Li et al., 2022, eq. 7 and 8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..model.partition import Partition

#: Elements of a piece on a CPU: its intermediate results stay in the cache, and calls cost little beside them.
_PIECE = 1 << 18


def fake_quantize(tensor: Tensor, scale: Tensor, low: Tensor, high: Tensor, partition: Partition, *,
                  offset: Tensor | None = None, gradient_factor: float | Tensor = 1.0) -> Tensor:
    """``s * round(clip((x - o) / s, low, high)) + o``, with the gradients that the papers give it.

    Args:
        tensor: any shape that ``partition`` fits, any strides, any floating type.
        scale: step s of each slot, shape ``(slots,)``, > 0.
        low: smallest integer of each slot, shape ``(slots,)``; may carry a gradient (learned bits). A limit between
            integers is rounded after clipping.
        high: largest integer of each slot, likewise; >= ``low``.
        partition: which slot each element uses.
        offset: o of each slot, shape ``(slots,)``; none means 0.
        gradient_factor: multiplies the gradient of ``scale`` only; a number, or one of each slot.

    Returns:
        The quantized tensor, contiguous, of the shape and type of ``tensor``; computed in the wider of its type and
        the scale's.

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
        grid = _Grid(tensor, scale, low, high, offset, partition)
        result = torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
        for piece, out in grid.pieces(tensor, result):
            codes = grid.memory(out)
            grid.clip(grid.units(piece, codes), codes).round_().mul_(grid.step)
            if grid.shift is not None:
                codes.add_(grid.shift)
            if codes is not out:
                out.copy_(codes)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensor, scale, low, high, offset = ctx.saved_tensors
        to_tensor, to_scale, to_low, to_high, to_offset = ctx.needs_input_grad[:5]
        grid = _Grid(tensor, scale, low, high, offset, ctx.partition)
        result = torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
        sums: dict[str, list[Tensor]] = {"scale": [], "below": [], "above": []}
        for piece, given, out in grid.pieces(tensor, gradient, result):
            given = given.to(grid.dtype)
            units = grid.units(piece, grid.empty(piece))
            clipped = grid.clip(units, grid.empty(piece))
            if to_low or to_high or to_offset:
                side = (units - clipped).sign_()  # -1 below, 0 inside, 1 above
                sums["below"].append(grid.sum(side.clamp(max=0).mul_(given).neg_()))
                sums["above"].append(grid.sum(side.clamp_(min=0).mul_(given)))
            # A mask of ones and zeros: operations that give or take truth values are not vectorised.
            passed = torch.mul(given, units.eq_(clipped), out=grid.memory(out))
            if passed is not out:
                out.copy_(passed)
            if to_scale:  # round(v) - v inside, the limit outside
                slopes = torch.round(clipped, out=units).mul_(given).addcmul_(passed, clipped, value=-1)
                sums["scale"].append(grid.sum(slopes))
        total = {name: torch.stack(parts).sum(0).to(scale.dtype) for name, parts in sums.items() if parts}
        return (result if to_tensor else None,
                total["scale"] * ctx.gradient_factor if to_scale else None,
                total["below"] * scale if to_low else None,
                total["above"] * scale if to_high else None,
                total["below"] + total["above"] if to_offset else None, None, None)


class _Grid:
    """The parameters of each element's slot, ready to broadcast against pieces of the tensor."""

    def __init__(self, tensor: Tensor, scale: Tensor, low: Tensor, high: Tensor, offset: Tensor | None,
                 partition: Partition) -> None:
        self.dtype = torch.promote_types(tensor.dtype, scale.dtype)
        self.partition = partition
        spread = partition.spread
        self.step, self.low, self.high = (spread(each.detach().to(self.dtype)) for each in (scale, low, high))
        self.shift = None if offset is None else spread(offset.detach().to(self.dtype))

    def pieces(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """The same parts of each tensor, split along the first axis where that is free of slots; whole on a GPU."""
        if tensors[0].dim() == self.partition.index.dim():
            tensors = tuple(tensor.unsqueeze(0) for tensor in tensors)
        row = max(1, math.prod(tensors[0].shape[1:]))
        count = max(1, _PIECE // row if tensors[0].device.type == "cpu" else len(tensors[0]))
        return zip(*(tensor.split(count) for tensor in tensors), strict=True)

    def empty(self, like: Tensor) -> Tensor:
        """Memory for an intermediate result."""
        return torch.empty(like.shape, dtype=self.dtype, device=like.device)

    def memory(self, out: Tensor) -> Tensor:
        """``out`` itself, where intermediate results fit in, or memory of their own."""
        return out if out.dtype == self.dtype else self.empty(out)

    def units(self, piece: Tensor, out: Tensor) -> Tensor:
        """``(x - o) / s``, into ``out``."""
        if self.shift is None:
            return torch.div(piece, self.step, out=out)
        return torch.sub(piece, self.shift, out=out).div_(self.step)

    def clip(self, units: Tensor, out: Tensor) -> Tensor:
        """``units`` clipped to the limits, into ``out``; ``clamp`` by broadcast tensors is not vectorised."""
        return torch.maximum(torch.minimum(units, self.high, out=out), self.low, out=out)

    def sum(self, values: Tensor) -> Tensor:
        """Sums of a piece's values, shape ``(slots,)``."""
        return self.partition.reduce(values, "sum")
