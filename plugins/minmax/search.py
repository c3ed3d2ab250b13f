"""The search ``minmax``."""

from __future__ import annotations

from harness import MinMax, MovingMinMax, RangeObserver, RangeSearch, Site, Uniform

from .options import MinMaxOptions


class MinMaxSearch(RangeSearch[MinMaxOptions]):
    """Smallest and largest value of each slot, or their average over batches."""

    name = "minmax"

    def observer(self, site: Site, quantizer: Uniform) -> RangeObserver:
        if self.options.ema:
            return MovingMinMax(quantizer.partition, self.options.rate)
        return MinMax(quantizer.partition)
