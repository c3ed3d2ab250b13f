"""The method ``easyquant``."""

from __future__ import annotations

from harness import Context, PostTraining

from .options import EasyQuantMethodOptions


class EasyQuantMethod(PostTraining[EasyQuantMethodOptions]):
    """Symmetric uniform quantizers on all sites, scales by the chosen search."""

    def calibrate(self, context: Context) -> None:
        context.search(self.options.search)
