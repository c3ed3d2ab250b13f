"""Activations clipped at a learned level."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness import Partition, Quantizer, Site, fake_quantize, initial_scale

from .options import ClipOptions

#: Group of the clipping levels in training.
CLIPS = "clips"
#: A level is kept at least this large: at 0 it would have no gradient any more.
_SMALLEST = 1e-4


class ClippedUniform(Quantizer):
    """``y = clip(x, 0, alpha)``, ``x_hat = round(y n / alpha) alpha / n`` with a learned ``alpha`` (PACT, eq. 1 to 3).

    Unsigned: ``n = 2^b - 1``. Symmetric: ``clip(x, -alpha, alpha)`` and ``n = 2^(b-1) - 1``. The gradient to alpha is
    1 above alpha, -1 below -alpha and 0 between; to x it is 1 between and 0 outside.
    """

    bits: Tensor

    def __init__(self, bits: int, scheme: Literal["symmetric", "unsigned"], largest_start: float) -> None:
        super().__init__()
        self.scheme, self.largest_start = scheme, largest_start
        self.partition = Partition.tensor()
        self.register_buffer("bits", torch.tensor([float(bits)]))
        self.alpha = nn.Parameter(torch.ones(1))

    @property
    def steps(self) -> Tensor:
        """Steps between 0 and alpha, shape (1,)."""
        return 2.0 ** (self.bits - 1 if self.scheme == "symmetric" else self.bits) - 1

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str) -> None:
        """See :class:`harness.Initialisable`."""
        scale, _ = initial_scale(tensor, rule, self.bits, self.scheme, self.partition)
        self.alpha.copy_((scale * self.steps).clamp(max=self.largest_start))

    def quantize(self, tensor: Tensor) -> Tensor:
        self.alpha.data.clamp_(min=_SMALLEST)
        steps = self.steps
        scale = (self.alpha / steps).detach()
        # The level moves the limits only: as a number of steps, whose gradient is 1 / scale.
        high = steps + (self.alpha - self.alpha.detach()) / scale
        return fake_quantize(tensor, scale, -high if self.scheme == "symmetric" else torch.zeros_like(scale), high,
                             self.partition)

    def parameter_group(self, name: str) -> str:
        return CLIPS

    def describe(self) -> dict[str, Any]:
        return {"quantizer": f"pact {self.scheme}", "bits": int(self.bits), "granularity": "tensor", "groups": 1,
                "dynamic": False}


def pact(options: ClipOptions, site: Site, bits: int) -> ClippedUniform:
    """A :class:`ClippedUniform` for a site."""
    return ClippedUniform(bits, options.scheme, options.largest_start)
