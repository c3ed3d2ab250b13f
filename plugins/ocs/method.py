"""The methods ``ocs`` and ``ocs_qat``."""

from __future__ import annotations

from harness import Context, PostTraining, QuantizationAware, Site

from .layers import is_first, is_of_attention
from .options import OcsOptions, OcsQatOptions


class Ocs(PostTraining[OcsOptions]):
    """Splits outlier channels, then quantizes linearly; nothing is trained."""

    def bits_of(self, site: Site, context: Context) -> int:
        return _special_bits(self.options, site, context) or super().bits_of(site, context)

    def calibrate(self, context: Context) -> None:
        """Run the search that splits."""
        context.search(self.options.search)


class OcsQat(QuantizationAware[OcsQatOptions]):
    """The same on pretrained weights, then quantization-aware training of the expanded network.

    The halves of a channel see the same input and so the same gradient: they stay one weight.
    """

    def bits_of(self, site: Site, context: Context) -> int:
        return _special_bits(self.options, site, context) or super().bits_of(site, context)


def _special_bits(options: OcsOptions | OcsQatOptions, site: Site, context: Context) -> int | None:
    """Bits of the first layer and of attention products, where options give them their own."""
    if is_first(context.model, site):
        return options.stem_bits
    return options.attention_bits if is_of_attention(site) else None
