"""The weight quantizer: symmetric integers below a fixed threshold, and the identity as gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import QuantizationError, Quantizer, Site

from .options import ThresholdOptions
from .threshold import entropy_threshold


class ThresholdWeight(Quantizer):
    """``w_hat = s * round(clip(w, -T, T) / s)`` with ``s = T / (2^(b-1) - 1)``; at one bit ``sign(w) * mean|w|``.

    ``threshold`` T has shape ``(1,)``; it is set once and not trained. The gradient is the identity, for clipped
    weights too, so that they can come back (Quantformer, official code).
    """

    estimator = "straight_through"
    threshold: Tensor

    def __init__(self, bits: int, entropy_below: int) -> None:
        super().__init__()
        self.bits, self.entropy_below = bits, entropy_below
        self.register_buffer("threshold", torch.ones(1))

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str = "") -> None:
        """Set T from the weight; ``rule`` is left aside, because the method has its own."""
        threshold = entropy_threshold(tensor, self.bits) if self.bits < self.entropy_below else tensor.abs().max()
        self.threshold.copy_(torch.where(threshold > 0, threshold, 1.0))

    def quantize(self, tensor: Tensor) -> Tensor:
        return _Threshold.apply(tensor, self.threshold, self.bits)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "thresholded symmetric", "bits": self.bits, "granularity": "tensor", "groups": 1,
                "dynamic": False}


class _Threshold(torch.autograd.Function):
    """Keeps nothing for the backward, which passes the gradient on."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, threshold: Tensor, bits: int) -> Tensor:
        if bits == 1:
            mean = weight.abs().mean()
            return torch.where(weight < 0, -mean, mean)
        levels = 2 ** (bits - 1) - 1
        step = threshold / levels
        # Clipping after rounding is the same, because T is a level, and clamps against numbers, which is faster.
        return (weight / step).round_().clamp_(-levels, levels).mul_(step)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return gradient, None, None


def quantformer_weight(options: ThresholdOptions, site: Site, bits: int) -> ThresholdWeight:
    """The quantizer for ``site``; raises :class:`harness.QuantizationError` for an activation."""
    if not site.is_weight:
        raise QuantizationError(f"site {site.path!r} is no weight",
                                "quantformer_weight is for weights; use quantformer_groups for activations")
    return ThresholdWeight(bits, options.entropy_below)
