"""The uniform quantizer over any partition, symmetric or asymmetric, with bits per slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import QuantizationError
from ..model.partition import Partition
from .base import Quantizer
from .rounding import round_ste

Scheme = Literal["symmetric", "unsigned", "asymmetric"]


def integer_limits(bits: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Smallest and largest integer of each slot: ``-2^(b-1) .. 2^(b-1)-1``, or ``0 .. 2^b-1``."""
    if scheme == "symmetric":
        half = 2.0 ** (bits - 1)
        return -half, half - 1
    return torch.zeros_like(bits), 2.0 ** bits - 1


def affine_parameters(lower: Tensor, upper: Tensor, bits: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Scale and integer zero point that cover ``[lower, upper]``; all of shape ``(slots,)``.

    Asymmetric: ``s = (u - l) / (2^b - 1)``, ``z = clip(round(-l / s), 0, 2^b - 1)`` after widening the
    range to include 0, so that 0 is exact. Symmetric: ``s = max(|l|, |u|) / (2^(b-1) - 1)``; unsigned:
    ``s = u / (2^b - 1)``; both with ``z = 0``. A constant slot c thus keeps c (to float rounding; unsigned:
    if c >= 0), because the widened range ends at c; where even that is empty (c = 0) the scale is 1.
    """
    lower, upper = lower.clamp(max=0), upper.clamp(min=0)
    low, high = integer_limits(bits, scheme)
    if scheme == "asymmetric":
        scale = (upper - lower) / high
    else:
        scale = (torch.maximum(-lower, upper) if scheme == "symmetric" else upper) / high
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = (-lower / scale).round().clamp(low, high) if scheme == "asymmetric" else torch.zeros_like(scale)
    return scale, zero


class Uniform(Quantizer):
    """``x_hat = s * (clip(round(x / s) + z, low, high) - z)`` with s, z and bits for each slot.

    ``scale``, ``zero_point`` and ``bits`` have shape ``(slots,)``. Gradients (straight-through): inside
    the limits (both included) 1 to x and ``round(v) - v`` to s, with ``v = x / s``; outside 0 to x and
    the limit to s (LSQ, Esser et al. 2020, eq. 3).
    """

    bits: Tensor
    zero_point: Tensor

    def __init__(self, partition: Partition, bits: int | Sequence[int], scheme: Scheme = "asymmetric") -> None:
        super().__init__()
        self.partition, self.scheme = partition, scheme
        each = [bits] * partition.slots if isinstance(bits, int) else list(bits)
        self.register_buffer("bits", torch.tensor(each, dtype=torch.float32))
        self.register_buffer("zero_point", torch.zeros(partition.slots))
        self.scale = nn.Parameter(torch.ones(partition.slots), requires_grad=False)

    def limits(self) -> tuple[Tensor, Tensor]:
        """Integer limits per slot, after the zero point is taken off: ``low - z``, ``high - z``."""
        low, high = integer_limits(self.bits, self.scheme)
        return low - self.zero_point, high - self.zero_point

    @torch.no_grad()
    def set_range(self, lower: Tensor, upper: Tensor) -> None:
        """Cover ``[lower, upper]`` in each slot (shape ``(slots,)``); see :func:`affine_parameters`."""
        if not bool(torch.isfinite(lower).all() and torch.isfinite(upper).all()):
            raise QuantizationError("NaN or infinity in calibration data",
                                    "Check the inputs, the weights and the preprocessing")
        scale, zero = affine_parameters(lower.to(self.scale), upper.to(self.scale), self.bits, self.scheme)
        self.scale.copy_(scale)
        self.zero_point.copy_(zero)

    def parameter_group(self, name: str) -> str:
        """Set by calibration, not trained (see :class:`harness.LearnedUniform`)."""
        return ""

    def quantize(self, tensor: Tensor) -> Tensor:
        if torch.is_grad_enabled() and (tensor.requires_grad or self.scale.requires_grad):
            low, high = self.limits()
            scale, spread = self.partition.spread(self.scale), self.partition.spread
            return round_ste((tensor / scale).clamp(spread(low), spread(high))) * scale
        scale = self.scale.detach()
        if self.partition.slots == 1:
            # Python numbers as limits: clamping against tensors is not vectorised. The scale stays a tensor,
            # because CUDA multiplies by the reciprocal of a number.
            smallest, largest = (limit.item() for limit in self.limits())
            # One out-of-place operation, then in-place ones: allocation costs more than arithmetic.
            return (tensor / scale).round_().clamp_(smallest, largest).mul_(scale)
        low, high = self.limits()
        scale, spread = self.partition.spread(scale), self.partition.spread
        return (tensor / scale).round_().clamp_(spread(low), spread(high)).mul_(scale)

    def describe(self) -> dict[str, Any]:
        bits = [int(b) for b in self.bits.tolist()]
        same = len(set(bits)) == 1
        return {"quantizer": f"uniform {self.scheme}", "bits": bits[0] if same else bits,
                "granularity": self.partition.granularity, "groups": self.partition.slots, "dynamic": False}
