"""The method ``bitsplit``."""

from __future__ import annotations

from harness import Choice, Context, PostTraining, Site

from .options import BitSplitMethodOptions


class BitSplitMethod(PostTraining[BitSplitMethodOptions]):
    """Symmetric integers on all sites, the first and the last layer at 8 bits."""

    def quantizer_of(self, site: Site) -> Choice:
        return self.options.attention if site.operand == "attention" else super().quantizer_of(site)

    def bits_of(self, site: Site, context: Context) -> int:
        if site.is_weight and site.operation == context.model.first and self.options.stem_weight_bits is not None:
            return self.options.stem_weight_bits
        return super().bits_of(site, context)

    def calibrate(self, context: Context) -> None:
        context.search(self.options.search)
