"""The search ``omse``."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Elements, Histogram, MinMax, RangeObserver, RangeSearch, Site, Uniform, best_range

from .options import OmseOptions


class OmseSearch(RangeSearch[OmseOptions]):
    """In each slot the range ``(1 - step * i) * (min, max)`` of least squared error."""

    name = "omse"

    def observer(self, site: Site, quantizer: Uniform) -> RangeObserver:
        if not site.is_weight:
            return ShrunkRange(quantizer, self._factors, Histogram(quantizer.partition, self.options.bins))
        if self.options.weights == "minmax":
            return MinMax(quantizer.partition)
        return ShrunkRange(quantizer, self._factors, Elements(quantizer.partition))

    @property
    def _factors(self) -> Tensor:
        return 1 - self.options.step * torch.arange(self.options.candidates)


class ShrunkRange(RangeObserver):
    """The best of ``factors`` times the full range, by the errors on the values that ``source`` keeps."""

    def __init__(self, quantizer: Uniform, factors: Tensor, source: Histogram | Elements) -> None:
        super().__init__(quantizer.partition)
        self.quantizer, self.factors, self.source = quantizer, factors, source

    def observe(self, tensor: Tensor) -> None:
        self.source.observe(tensor)

    def range(self) -> tuple[Tensor, Tensor]:
        lower, upper = self.source.range()
        factors = self.factors.to(lower)[:, None]
        return best_range(self.quantizer, *self.source.bins(), factors * lower, factors * upper)
