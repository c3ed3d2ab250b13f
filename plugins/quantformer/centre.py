"""The quantizer of attention's operands: one range with a learned centre and half-width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import Partition, QuantizationError, Quantizer, Site

from .clipping import clip_and_round
from .options import CentreOptions

#: Half-widths are kept at least this large.
SMALLEST = 1e-4


class CentredRange(Quantizer):
    """``x_hat = s * round(clip(x, c - d, c + d) / s)`` with ``s = d / (2^(b-1) - 1)``; c and d are learned.

    ``centre`` and ``half_width`` have shape ``(1,)``. Levels are multiples of s, so that 0 is exact wherever c lies.
    The official code's step ``d / (2^b - 1)`` is one bit more.
    """

    def __init__(self, options: CentreOptions, bits: int) -> None:
        super().__init__()
        self.options, self.bits = options, bits
        self.partition = Partition.tensor()
        self.levels = 2**bits - 1 if options.compat_code_step else 2 ** (bits - 1) - 1
        if self.levels < 1:
            raise QuantizationError(f"{bits} bits have no level on both sides of a centre", "Use 2 bits or more")
        self.centre = nn.Parameter(torch.zeros(1))
        self.half_width = nn.Parameter(torch.ones(1))

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str = "") -> None:
        """``c = 0``, ``d = min(largest, max|x|)``; ``rule`` is left aside, because the method has its own."""
        self.centre.zero_()
        self.half_width.fill_(float(tensor.abs().max().clamp(min=SMALLEST, max=self.options.largest)))

    def quantize(self, tensor: Tensor) -> Tensor:
        # Through .data, because a graph that still waits for its backward may hold the same parameter.
        self.half_width.data.clamp_(min=SMALLEST)
        lower, upper = self.centre - self.half_width, self.centre + self.half_width
        return clip_and_round(tensor, lower, upper, self.half_width / self.levels, self.partition)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "learned centre and half-width", "bits": self.bits + self.options.compat_code_step,
                "granularity": "tensor", "groups": 1, "dynamic": False}


def quantformer_centre(options: CentreOptions, site: Site, bits: int) -> CentredRange:
    """The quantizer for ``site``."""
    return CentredRange(options, bits)
