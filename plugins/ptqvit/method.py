"""The method ``ptqvit``."""

from __future__ import annotations

from harness import Choice, Context, PostTraining, Site

from .options import PtqVitOptions


class PtqVit(PostTraining[PtqVitOptions]):
    """Signed uniform integers, one interval a tensor; bits by module if asked; intervals by search."""

    def bits_of(self, site: Site, context: Context) -> int:
        if site.role == "head" and not self.options.quantize_head:
            return 32
        return super().bits_of(site, context)

    def calibrate(self, context: Context) -> None:
        if self.options.mixed_precision != "off":
            context.search(Choice(name=self.options.mixed_precision, options=self.options.allocation))
        context.search(self.options.search)
