"""The search ``percentile``."""

from __future__ import annotations

from torch import Tensor

from harness import Elements, Histogram, MinMax, MovingPercentile, RangeObserver, RangeSearch, Site, Uniform, best_range

from .options import PercentileOptions


class PercentileSearch(RangeSearch[PercentileOptions]):
    """Percentiles of each slot (FQN), or the best of several by squared error (RepQ-ViT)."""

    name = "percentile"

    def observer(self, site: Site, quantizer: Uniform) -> RangeObserver:
        options = self.options
        if site.is_weight and options.weights == "minmax":
            return MinMax(quantizer.partition)
        if options.pct == "mse":
            values = Elements(quantizer.partition) if site.is_weight else Histogram(quantizer.partition, options.bins)
            return BestPercentile(quantizer, options.candidates, options.rate, values)
        return MovingPercentile(quantizer.partition, (options.pct,), options.rate)


class BestPercentile(RangeObserver):
    """Averages several percentiles, and chooses one for each slot on the values that ``source`` keeps."""

    def __init__(self, quantizer: Uniform, percents: tuple[float, ...], rate: float,
                 source: Histogram | Elements) -> None:
        super().__init__(quantizer.partition)
        self.quantizer = quantizer
        self.percentile = MovingPercentile(quantizer.partition, percents, rate)
        self.source = source

    def observe(self, tensor: Tensor) -> None:
        self.percentile.observe(tensor)
        self.source.observe(tensor)

    def range(self) -> tuple[Tensor, Tensor]:
        return best_range(self.quantizer, *self.source.bins(), *self.percentile.candidates)
