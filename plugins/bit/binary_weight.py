"""The quantizer ``binary_weight``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from harness import QuantizationError, Site

from .options import BinaryWeightOptions
from .two_valued import TwoValued


class BinaryWeight(TwoValued):
    """``s * sign(w - mean(w))``: the mean is the tensor's, ``s = mean|w|`` each slot's.

    The gradient passes to every weight (straight-through). A ``learned`` scale starts at ``mean|w|``; otherwise there
    is no parameter, and s follows the weights without a gradient.
    """

    estimator = "straight_through"

    def __init__(self, options: BinaryWeightOptions, site: Site) -> None:
        self.learned = options.scale == "learned"
        super().__init__(site.layout.partition(options.granularity),
                         options.gradient_scale if self.learned else "off", clipped=False)
        if not self.learned:
            self.register_parameter("scale", None)

    def initialise(self, tensor: Tensor, rule: str) -> None:
        """Start at the mean magnitude, whatever the search's rule."""
        if self.learned:
            self.set_scale(self.partition.reduce(tensor.abs(), "mean"))

    def centred(self, tensor: Tensor) -> Tensor:
        return tensor - tensor.detach().mean()

    def present_scale(self, tensor: Tensor) -> Tensor:
        return super().present_scale(tensor) if self.learned else self.partition.reduce(tensor.detach().abs(), "mean")

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"quantizer": f"binary, {'learned' if self.learned else 'mean'} scale"}


def binary_weight(options: BinaryWeightOptions, site: Site, bits: int) -> BinaryWeight:
    """The quantizer of a site; raises :class:`harness.QuantizationError` for more than one bit."""
    if bits != 1:
        raise QuantizationError(f"binary_weight has 1 bit, {site.path!r} is to have {bits}",
                                "Use another quantizer for it, such as elastic or learned")
    return BinaryWeight(options, site)
