"""Clipping to a learned range, then rounding: one operation with PACT's gradients."""

from __future__ import annotations

from torch import Tensor

from harness import Partition, fake_quantize


def clip_and_round(tensor: Tensor, lower: Tensor, upper: Tensor, step: Tensor, partition: Partition) -> Tensor:
    """``s * round(clip(x, l, u) / s)`` with straight-through rounding, so that l and u learn as in PACT.

    Args:
        tensor: any shape that ``partition`` fits.
        lower: l of each slot, shape ``(slots,)``; a multiple of s or not.
        upper: u of each slot, likewise.
        step: s of each slot, > 0; constant for the gradient.
        partition: which slot each element uses.

    Returns:
        The quantized tensor. Its gradient is 1 to x inside (both ends included), to l below and to u above
        (Choi et al., PACT, 2018, eq. 3; Quantformer's clipping functions have the same).
    """
    step = step.detach()
    return fake_quantize(tensor, step, lower / step, upper / step, partition)
