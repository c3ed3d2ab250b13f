"""The method ``minmax``."""

from __future__ import annotations

from harness import Context, PostTraining

from .options import MinMaxMethodOptions


class MinMaxMethod(PostTraining[MinMaxMethodOptions]):
    """Uniform quantizers on all sites, ranges by the chosen search."""

    def calibrate(self, context: Context) -> None:
        context.search(self.options.search)
