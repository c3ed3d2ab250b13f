"""The recipe of IGQ-ViT."""

from __future__ import annotations

from collections.abc import Iterable

from harness import (
    Choice,
    Context,
    Identity,
    PostTraining,
    QuantizationError,
    Site,
    Uniform,
    finite_weight,
    set_range,
)

from .instance_minmax import InstanceMinMax
from .instances import find_instances
from .options import IgqOptions
from .quantizer import InstanceGroups
from .ranges import Percentiles, default_eps, set_static_ranges


class IgqVit(PostTraining[IgqOptions]):
    """Weights by percentiles, linear inputs and softmax attentions in instance-aware groups, the rest static."""

    def quantizer_of(self, site: Site) -> Choice:
        if site.operand == "input" and site.layout.axes == ("channel",):
            return self._channels(site)
        if site.operand == "attention":
            return self._rows()
        return super().quantizer_of(site)

    def bits_of(self, site: Site, context: Context) -> int:
        if self.options.head_stem_bits is not None and site.role in ("patch_embed", "head"):
            return self.options.head_stem_bits
        return super().bits_of(site, context)

    def calibrate(self, context: Context) -> None:
        single = find_instances(context)
        if self.options.single_token == "layer":
            self._place_single_tokens(context, single)
        static: dict[str, Uniform] = {}
        for path, quantizer in context.model.quantizers.items():
            site = context.model.sites[path]
            if isinstance(quantizer, Uniform) and site.is_weight:
                weight = Percentiles(quantizer.partition, self._percent(int(quantizer.bits.max())))
                weight.observe(finite_weight(context.model, path))
                set_range(path, quantizer, weight)
            elif isinstance(quantizer, Uniform):
                static[path] = quantizer
            elif not isinstance(quantizer, Identity | InstanceGroups | InstanceMinMax):
                raise QuantizationError(f"igqvit cannot set quantizer {type(quantizer).__name__} at {path!r}",
                                        "Options weights and activations of igqvit take the quantizer uniform")
        set_static_ranges(context, static, self.options.static_range)
        if any(isinstance(quantizer, InstanceGroups) for quantizer in context.model.quantizers.values()):
            context.search(self.options.search)

    def _place_single_tokens(self, context: Context, paths: Iterable[str]) -> None:
        """One range for inputs (instances, channels): without tokens there is nothing to take extremes over."""
        for path in paths:
            site = context.model.sites[path]
            bits = context.allocation.get(path) or self.bits_of(site, context)
            context.model.place(path, context.registry.create(
                context.registry.quantizers, self.options.activations, site, bits))

    def _channels(self, site: Site) -> Choice:
        options = self.options
        match options.channels:
            case "dynamic":
                return Choice(name="instance_groups", options={"axis": "channels", "g": options.g,
                                                               "distance": options.distance})
            case "per_channel":
                return Choice(name="instance_minmax", options={"axis": "channels"})
            case "static_consecutive":
                size = -(-(site.layout.channels or 1) // options.g)
                return Choice(name="uniform", options={"granularity": "group", "group": size})
            case "layer":
                return options.activations

    def _rows(self) -> Choice:
        options = self.options
        match options.rows:
            case "dynamic":
                return Choice(name="instance_groups", options={
                    "axis": "rows", "g": options.g, "distance": options.distance, "lower": options.softmax_lower})
            case "per_row":
                return Choice(name="instance_minmax", options={"axis": "rows"})
            case "layer":
                return options.activations

    def _percent(self, bits: int) -> float:
        eps, unit = self.options.eps, self.options.eps_unit
        percent = default_eps(bits) if eps is None else eps * (100 if unit == "fraction" else 1)
        if percent >= 50:
            raise QuantizationError(f"igqvit clips weights at eps = {percent:g} percent: nothing is left",
                                    "Give eps below 50 percent of the weights; see eps_unit")
        return percent
