"""The soft assignment: every channel a mixture of all groups' quantizers, without a copy of the tensor for each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def soft_mixture(tensor: Tensor, ranges: Tensor, shares: Tensor, steps: Tensor, half_wave: bool) -> Tensor:
    """``x_hat_c = sum_g pi_gc Q_g(x_c)``, with ``Q_g(x) = s_g round(clip(x, l_g, R_g) / s_g)``.

    Args:
        tensor: (..., C).
        ranges: R of each group, shape (G,), >= 0; a group of range 0 puts out 0.
        shares: pi, shape (G, C); columns add up to one.
        steps: s of each group, shape (G,), > 0 where R is; constant for the gradient.
        half_wave: whether l_g is 0; else it is ``-R_g``.

    Returns:
        The mixture, of the shape of ``tensor``. Gradients are those of ``sum_g pi_gc clip(x_c, l_g, R_g)``: rounding is
        straight-through for x, R and pi alike (Quantformer, official code).

    One group after the other, forward and backward, with ``tensor`` as the only large thing kept.
    """
    return _SoftMixture.apply(tensor, ranges, shares, steps, half_wave)


class _SoftMixture(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranges: Tensor, shares: Tensor, steps: Tensor, half_wave: bool) -> Tensor:
        ctx.save_for_backward(tensor, ranges, shares)
        ctx.half_wave = half_wave
        wide = tensor.to(torch.promote_types(tensor.dtype, ranges.dtype))
        mixed, work = torch.zeros_like(wide), torch.empty_like(wide)
        for upper, share, step in zip(ranges.tolist(), shares, steps, strict=True):
            if upper > 0:
                torch.clamp(wide, 0.0 if half_wave else -upper, upper, out=work)
                work.div_(step).round_().mul_(step)
                mixed.addcmul_(work, share)
        return mixed.to(tensor.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensor, ranges, shares = ctx.saved_tensors
        rows, wide = (each.reshape(-1, each.shape[-1]).to(torch.promote_types(tensor.dtype, ranges.dtype))
                      for each in (tensor, gradient))
        passing = torch.ones_like(wide)  # less the shares of all groups that clip the element
        grad_ranges, grad_shares = torch.zeros_like(ranges), torch.zeros_like(shares)
        clipped, beyond = torch.empty_like(wide), torch.empty_like(wide)
        for group, upper in enumerate(ranges.tolist()):
            torch.clamp(rows, 0.0 if ctx.half_wave else -upper, upper, out=clipped)
            torch.sub(rows, clipped, out=beyond).sign_()  # 1 above, -1 below, 0 inside
            grad_shares[group] = clipped.mul_(wide).sum(0)
            passing.addcmul_(torch.abs(beyond, out=clipped), shares[group], value=-1)
            # The lower end of a half wave does not move with the range.
            ends = beyond.clamp_(min=0) if ctx.half_wave else beyond
            grad_ranges[group] = (ends.mul_(wide).sum(0) * shares[group]).sum()
        return (passing * wide).reshape(tensor.shape).to(tensor.dtype), grad_ranges, grad_shares, None, None

