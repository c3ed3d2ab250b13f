"""The method ``percentile``."""

from __future__ import annotations

from harness import Context, PostTraining

from .options import PercentileMethodOptions


class PercentileMethod(PostTraining[PercentileMethodOptions]):
    """Uniform quantizers on all sites, ranges by the chosen search."""

    def calibrate(self, context: Context) -> None:
        context.search(self.options.search)
