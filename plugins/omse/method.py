"""The method ``omse``."""

from __future__ import annotations

from harness import Context, PostTraining

from .options import OmseMethodOptions


class OmseMethod(PostTraining[OmseMethodOptions]):
    """Uniform quantizers on all sites, ranges by the chosen search."""

    def calibrate(self, context: Context) -> None:
        context.search(self.options.search)
