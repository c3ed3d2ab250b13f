"""The method: the recipe of every method that trains, with the parts that its options name."""

from __future__ import annotations

from harness import Context, QuantizationAware

from .options import PowerMethodOptions
from .quantizer import Power


class PowerLaw(QuantizationAware[PowerMethodOptions]):
    """Places power-law quantizers, sets their scales from a batch, and trains them with the weights."""

    def calibrate(self, context: Context) -> None:
        super().calibrate(context)
        scales = [quantizer.scale.detach().mean().item() for quantizer in context.model.quantizers.values()
                  if isinstance(quantizer, Power)]
        context.notes["mean_first_scale"] = sum(scales) / len(scales)
