"""The quantizer ``elastic``: a learned scale and shift, at one bit and, for the steps on the way there, at more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import LearnedUniform, Partition, Site

from .options import ElasticOptions
from .two_valued import TwoValued


class Shift(nn.Module):
    """``x - shift`` with a learned shift of each channel, which starts at 0."""

    def __init__(self, channels: Partition) -> None:
        super().__init__()
        self.channels = channels
        self.values = nn.Parameter(torch.zeros(channels.slots))

    def forward(self, tensor: Tensor) -> Tensor:
        return tensor - self.channels.spread(self.values).to(tensor.dtype)


class _Shifted(LearnedUniform):
    """What both quantizers below have: a shift, or none, and where their scales start."""

    shift: Shift | None

    def initialise(self, tensor: Tensor, rule: str) -> None:
        """``2 mean|x| / sqrt(Q_P)``, twice that in the unsigned scheme, whatever the search's rule."""
        mean = self.partition.reduce(self.centred(tensor).abs(), "mean")
        self.set_scale((4 if self.scheme == "unsigned" else 2) * mean / self.limits()[1].sqrt())

    def centred(self, tensor: Tensor) -> Tensor:
        """What is quantized."""
        return tensor if self.shift is None else self.shift(tensor)

    def describe(self) -> dict[str, Any]:
        shift = "" if self.shift is None else " with shift"
        return super().describe() | {"quantizer": f"elastic {self.scheme}{shift}"}


class Elastic(_Shifted):
    """``s * round(clip((x - shift) / s, low, high))``; unsigned at one bit 0 or s. Gradients as in LSQ."""

    def __init__(self, options: ElasticOptions, partition: Partition, bits: int, unsigned: bool,
                 shift: Shift | None) -> None:
        super().__init__(partition, bits, "unsigned" if unsigned else "symmetric",
                         gradient_scale=options.gradient_scale)
        self.shift = shift

    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(self.centred(tensor))


class ElasticSign(_Shifted, TwoValued):
    """``s * sign(x - shift)``; the gradient passes where ``|x - shift| <= s``."""

    def __init__(self, options: ElasticOptions, partition: Partition, shift: Shift | None) -> None:
        TwoValued.__init__(self, partition, options.gradient_scale, clipped=True)
        self.shift = shift


def elastic(options: ElasticOptions, site: Site, bits: int) -> Elastic | ElasticSign:
    """The quantizer of a site; only symmetric inputs of layers have a shift (official code)."""
    unsigned = options.scheme == "unsigned" or (options.scheme == "by_site" and _never_negative(site))
    shifted = options.shift and site.operand == "input" and not unsigned
    shift = Shift(site.layout.partition("channel")) if shifted else None
    partition = site.layout.partition(options.granularity)
    if bits == 1 and not unsigned:
        return ElasticSign(options, partition, shift)
    return Elastic(options, partition, bits, unsigned, shift)


def _never_negative(site: Site) -> bool:
    """Attention maps, and what has passed the ReLU of a feed-forward network."""
    return site.operand == "attention" or (site.role == "fc2" and site.operand == "input")
