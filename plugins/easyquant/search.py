"""The search ``easyquant``: layer after layer, one operand after the other."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import torch

from harness import (
    Context,
    MinMax,
    RowSample,
    Search,
    Uniform,
    finite_weight,
    forward_order,
    set_range,
    uniform_quantizers,
)

from .operands import layer_operands, product_operands
from .options import EasyQuantOptions
from .products import ProductSample
from .similarity import fit


@dataclass
class Seen:
    """What one pass over the calibration set showed of one operation."""

    sample: RowSample | ProductSample
    extremes: dict[str, MinMax] = field(default_factory=dict)


class EasyQuantSearch(Search[EasyQuantOptions]):
    """Maximises ``cos(O, O')`` over the scales of each layer (EasyQuant, sec. 3)."""

    def run(self, context: Context) -> None:
        """Set all scales; raises :class:`harness.QuantizationError` for a quantizer without one."""
        model = context.model
        quantizers = dict(uniform_quantizers(model, "easyquant"))
        self._seed = int(torch.randint(1 << 31, (), generator=context.generator))
        blocks = forward_order(model, context.calibration)
        pending = set(quantizers)
        with context.progress("easyquant", total=sum(map(len, blocks))) as advance:
            for paths in blocks:
                # The full-precision side is kept for one block at a time: that bounds the memory.
                full = self._observe(context, paths, set(quantizers), quantizers)
                for path in paths:
                    given = full
                    if self.options.order == "sequential":
                        given = self._observe(context, [path], pending, quantizers)
                    self._fit_operation(context, path, full.get(path), given.get(path), quantizers)
                    pending -= {site.path for site in model.sites_of(path).values()}
                    advance()

    def _observe(self, context: Context, paths: Collection[str], off: set[str], quantizers: dict[str, Uniform]
                 ) -> dict[str, Seen]:
        """Samples and extremes of the inputs of ``paths`` while the quantizers ``off`` are off."""
        model, calibration = context.model, context.calibration
        batches = math.ceil(len(calibration) / calibration.batch_size)
        seen: dict[str, Seen] = {}
        for path in paths:
            sites = model.sites_of(path)
            if set(sites) == {"weight"}:  # an embedding: no product, nothing to observe
                continue
            sample: RowSample | ProductSample
            if "weight" in sites:
                quantizer = quantizers.get(sites["input"].path)
                partition = quantizer.partition if quantizer is not None else None
                sample = RowSample(model.operation(path), self.options.rows, batches, self._seed, partition)
            else:
                sample = ProductSample(self.options.rows, batches, self._seed, "value" in sites)
            seen[path] = Seen(sample, {site.path: MinMax(quantizers[site.path].partition)
                                       for site in sites.values() if site.path in quantizers and not site.is_weight})
        if seen:
            extremes = {path: observer.observe for one in seen.values() for path, observer in one.extremes.items()}
            with model.full_precision(off):
                calibration.observe(model, sites=extremes,
                                    operations={path: one.sample for path, one in seen.items()})
        return seen

    def _fit_operation(self, context: Context, path: str, full: Seen | None, given: Seen | None,
                       quantizers: dict[str, Uniform]) -> None:
        model, options = context.model, self.options
        chosen = {site.path: quantizers.get(site.path) for site in model.sites_of(path).values()}
        for place, quantizer in chosen.items():
            if quantizer is not None:
                extremes = MinMax(quantizer.partition)
                if model.sites[place].is_weight:
                    extremes.observe(finite_weight(model, place))
                elif given is not None:
                    extremes = given.extremes[place]
                set_range(place, quantizer, extremes)
        if full is None or given is None:
            return
        one, other = chosen.values()
        match full.sample, given.sample:
            case RowSample() as before, RowSample() as after:
                first, second = layer_operands(before, after, one, other)
                weight = None
            case ProductSample() as before, ProductSample() as after:
                first, second = product_operands(before, after, one, other)
                weight = after.weight
        starts = [None if operand.quantizer is None else operand.quantizer.scale.clone() for operand in (first, second)]
        grid = torch.linspace(options.alpha, options.beta, options.candidates)
        factors = torch.cat((torch.ones(1), grid)).to(first.given.device)  # never worse than the full range
        for _ in range(options.rounds):
            changed = [fit(operand, beside, start, factors, weight) for operand, beside, start in
                       ((first, second, starts[0]), (second, first, starts[1]))]
            if not any(changed):
                break
