"""The quantizer: a power law between 0 and a learned scale."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import Partition, QuantizationError, Quantizer, Site, scale_gradient

from .options import PowerOptions

_SMALLEST_SCALE = 1e-6
#: Shares of the largest magnitude that are tried as the first scale.
_SHARES = torch.linspace(0.3, 1.0, 15)


class Power(Quantizer):
    """``x_hat = s sign(x) (round(n |x / s|^(1/p)) / n)^p``, with ``|x / s|`` clipped to 1 and a learned s per slot.

    Signed: ``n = 2^(b-1) - 1``. Unsigned, for attention maps: ``n = 2^b - 1``, and what is negative becomes 0.
    Gradients are straight-through: 1 to x between the outermost levels, 0 beyond; to s ``x_hat / s - x / s``, and
    beyond them the level's sign, times ``1 / sqrt(N n)`` as in LSQ, with N the elements of a slot.
    """

    estimator = "clipped"

    def __init__(self, partition: Partition, bits: int, exponent: float, signed: bool) -> None:
        super().__init__()
        if bits < 2:
            raise QuantizationError(f"the power quantizer has no levels for {bits} bit", "Use 2 bits or more")
        self.partition, self.bits, self.exponent, self.signed = partition, bits, exponent, signed
        self.levels = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        self.scale = nn.Parameter(torch.ones(partition.slots))

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str) -> None:
        """The share of each slot's largest magnitude with the least squared error; ``rule`` is left aside."""
        largest = self.partition.reduce(tensor.abs(), "amax").to(self.scale)
        best = torch.full_like(largest, torch.inf)
        chosen = torch.ones_like(largest)
        for share in _SHARES.tolist():
            self.scale.copy_((share * largest).clamp(min=_SMALLEST_SCALE))
            error = self.partition.reduce((self.quantize(tensor) - tensor).square(), "mean").to(best)
            chosen = torch.where(error < best, self.scale, chosen)
            best = torch.minimum(error, best)
        self.scale.copy_(chosen)

    def quantize(self, tensor: Tensor) -> Tensor:
        self.scale.data.clamp_(min=_SMALLEST_SCALE)
        factor = (tensor.numel() / self.partition.slots * self.levels) ** -0.5
        scale = self.partition.spread(scale_gradient(self.scale, factor))
        inside = (tensor / scale).clamp(-1.0 if self.signed else 0.0, 1.0)
        level = (self.levels * inside.detach().abs() ** (1 / self.exponent)).round() / self.levels
        # Straight-through: the value of the level, the gradient of what was clipped.
        there = inside + (inside.detach().sign() * level**self.exponent - inside.detach())
        return (there * scale).to(tensor.dtype)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": f"power {self.exponent:g}", "bits": self.bits, "granularity": self.partition.granularity,
                "groups": self.partition.slots, "dynamic": False}


def power(options: PowerOptions, site: Site, bits: int) -> Power:
    """The quantizer for a site; an attention map, which has no negative values, gets an unsigned one."""
    return Power(site.layout.partition(options.granularity), bits, options.exponent, site.operand != "attention")
