"""The upper bound of grouping: a range of its own for every channel or row of every instance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import QuantizationError, Quantizer, Site, affine_parameters, round_ste

from .extremes import extremes
from .options import InstanceMinMaxOptions


class InstanceMinMax(Quantizer):
    """Quantizes each channel (row) of each instance between its own minimum and maximum.

    Equal to :class:`InstanceGroups` with one group a channel whose bounds are that channel's (max, min).
    A constant channel is exact, because its range, widened to include 0, ends at its value.
    """

    def __init__(self, options: InstanceMinMaxOptions, bits: int, slots: int = 0) -> None:
        super().__init__()
        self.axis, self.bits, self.slots = options.axis, bits, slots
        self.leading = 1

    def quantize(self, tensor: Tensor) -> Tensor:
        upper, lower = extremes(tensor.detach(), self.axis, leading=self.leading)
        if self.axis == "rows":
            self.slots = upper[0].numel()
        bits = torch.full_like(upper, self.bits)
        scale, zero = affine_parameters(upper if lower is None else lower, upper, bits, "asymmetric")
        levels = torch.minimum(torch.maximum(tensor / scale, -zero), 2.0 ** bits - 1 - zero)
        return round_ste(levels) * scale

    def describe(self) -> dict[str, Any]:
        """``groups`` of rows: their number in the last input (the input decides it)."""
        return {"quantizer": "uniform asymmetric", "bits": self.bits,
                "granularity": f"instance {self.axis}", "groups": self.slots, "dynamic": True}


def instance_minmax(options: InstanceMinMaxOptions, site: Site, bits: int) -> InstanceMinMax:
    """The quantizer for ``site``.

    Raises :class:`harness.QuantizationError` for a weight, and for rows on a site that has none.
    """
    if site.is_weight or (options.axis == "rows" and site.layout.row is None):
        raise QuantizationError(f"site {site.path!r} has no {options.axis} of instances",
                                "instance_minmax is for activations; axis rows for softmax attentions")
    return InstanceMinMax(options, bits, (site.layout.channels or 0) if options.axis == "channels" else 0)
