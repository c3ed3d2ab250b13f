"""Weights in evenly spaced bins, whose reach follows from the weight itself: DoReFa-Net's and SAWB's."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from harness import Partition, QuantizationError, Quantizer, Site, fake_quantize

from .options import BinOptions

#: Bits -> (c1, c2) of SAWB; those of 6 and 7 bits lie on the line between their neighbours.
_COEFFICIENTS = {2: (3.12, -2.064), 3: (7.509, -6.892), 4: (12.68, -12.80), 5: (17.74, -18.64),
                 6: (22.41, -24.11), 7: (27.09, -29.57), 8: (31.76, -35.04)}


class EvenBins(Quantizer):
    """``2^b`` levels from ``-alpha`` to ``alpha``, evenly spaced, none of them 0.

    ``alpha``, shape (1,), follows the weight at every training step; otherwise it is that of the last one.
    Gradient to the weight: 1 up to alpha, 0 beyond (alpha counts as a constant).
    """

    name: str
    alpha: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits, self.partition = bits, Partition.tensor()
        self.register_buffer("alpha", torch.ones(1))

    @abstractmethod
    def reach(self, weight: Tensor) -> Tensor:
        """The outermost level for ``weight``, a scalar."""

    def squash(self, weight: Tensor, alpha: Tensor) -> Tensor:
        """What is put into the bins, same shape as ``weight``."""
        return weight

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str) -> None:
        """See :class:`harness.Initialisable`; the weight's own statistics are the rule."""
        # A new tensor: the old one may be part of a graph that still waits for its backward.
        self.alpha = self.reach(tensor).clamp(min=torch.finfo(tensor.dtype).tiny).reshape(1)

    def quantize(self, tensor: Tensor) -> Tensor:
        if torch.is_grad_enabled() and tensor.requires_grad:
            self.initialise(tensor, self.name)
        alpha, low = self.alpha, torch.zeros_like(self.alpha)
        high = low + (2.0 ** self.bits - 1)
        return fake_quantize(self.squash(tensor, alpha), 2 * alpha / high, low, high, self.partition, offset=-alpha)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": self.name, "bits": self.bits, "granularity": "tensor", "groups": 1, "dynamic": False}


class DoReFa(EvenBins):
    """``alpha (2 round(n (tanh w / (2 max|tanh w|) + 1/2)) / n - 1)``, ``n = 2^b - 1`` (Zhou et al. 2016, eq. 9).

    With ``alpha = max|w|``, where the paper has 1 and leaves the magnitude to batch normalisation. Not idempotent:
    the tangent squashes what it is given, its own levels too.
    """

    name = "dorefa"
    estimator = "slope"
    idempotent = False

    def reach(self, weight: Tensor) -> Tensor:
        return weight.abs().amax()

    def squash(self, weight: Tensor, alpha: Tensor) -> Tensor:
        return torch.tanh(weight) * (alpha / torch.tanh(alpha))


class Sawb(EvenBins):
    """Statistics-aware weight binning: ``alpha = c1 sqrt(mean(w^2)) + c2 mean|w|`` (Choi et al., SysML 2019)."""

    name = "sawb"

    def reach(self, weight: Tensor) -> Tensor:
        first, second = _COEFFICIENTS[self.bits]
        alpha = first * weight.square().mean().sqrt() + second * weight.abs().mean()
        # The fit is for bell-shaped weights; for nearly constant magnitudes it falls below them, even below 0.
        return torch.maximum(alpha, weight.abs().mean())


def dorefa(options: BinOptions, site: Site, bits: int) -> DoReFa:
    """A :class:`DoReFa` quantizer for a site."""
    return DoReFa(bits)


def sawb(options: BinOptions, site: Site, bits: int) -> Sawb:
    """A :class:`Sawb` quantizer for a site."""
    if bits not in _COEFFICIENTS:
        raise QuantizationError(f"sawb has no coefficients for {bits} bits", "Use 2 to 8 bits, or weights=dorefa")
    return Sawb(bits)
