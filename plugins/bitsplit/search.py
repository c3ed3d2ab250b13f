"""The search ``bitsplit``: layer after layer, the scale of its input, then the integers of its weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness import (
    Context,
    Histogram,
    RowSample,
    Search,
    Uniform,
    finite_weight,
    forward_order,
    quantize_rows,
    uniform_quantizers,
    weight_rows,
)

from .activation import set_scale
from .options import BitSplitOptions
from .planes import fwa, ofwa, split, stitch
from .quantizer import Stitched
from .response import ofwa_rr, response_statistics
from .slots import Rows


class BitSplitSearch(Search[BitSplitOptions]):
    """Sets activation scales, and replaces each weight's quantizer by one that holds its integers."""

    def run(self, context: Context) -> None:
        """Raises :class:`harness.QuantizationError` for a quantizer that is not uniform."""
        model = context.model
        quantizers = dict(uniform_quantizers(model, "bitsplit"))
        self._seed = int(torch.randint(1 << 31, (), generator=context.generator))
        blocks = forward_order(model, context.calibration)
        pending = set(quantizers)
        with context.progress("bitsplit", total=sum(map(len, blocks))) as advance:
            for paths in blocks:
                # The full-precision side is kept for one block at a time: that bounds the memory.
                full = self._samples(context, paths, quantizers)
                with model.full_precision():
                    context.calibration.observe(model, operations=full)
                for path in paths:
                    self._fit_operation(context, path, full.get(path), pending, quantizers)
                    pending -= {site.path for site in model.sites_of(path).values()}
                    advance()

    def _samples(self, context: Context, paths: list[str], quantizers: Mapping[str, Uniform]) -> dict[str, RowSample]:
        """Samplers for those of the operations whose weight is fitted to outputs."""
        model, calibration = context.model, context.calibration
        batches = math.ceil(len(calibration) / calibration.batch_size)
        samples = {}
        for path in paths:
            sites = model.sites_of(path)
            if self.options.weights == "ofwa_rr" and {"weight", "input"} <= set(sites) \
                    and sites["weight"].path in quantizers:
                tokens = quantizers.get(sites["input"].path)
                samples[path] = RowSample(model.operation(path), self.options.rows, batches, self._seed,
                                          None if tokens is None else tokens.partition)
        return samples

    def _fit_operation(self, context: Context, path: str, full: RowSample | None, pending: set[str],
                       quantizers: Mapping[str, Uniform]) -> None:
        model = context.model
        sites = model.sites_of(path)
        histograms = {site.path: Histogram(quantizers[site.path].partition, self.options.bins)
                      for site in sites.values() if site.path in quantizers and not site.is_weight}
        given = self._samples(context, [path], quantizers)
        if histograms or given:
            with model.full_precision(pending):
                context.calibration.observe(
                    model, operations=given, sites={place: one.observe for place, one in histograms.items()})
        for place, histogram in histograms.items():
            set_scale(quantizers[place], histogram)
        if "weight" not in sites or (weight := quantizers.get(sites["weight"].path)) is None:
            return
        statistics = None
        if full is not None:
            inputs, exact = given[path].rows, given[path].counterparts(full)
            if self.options.compensate and "input" in sites and sites["input"].path in quantizers:
                inputs = quantize_rows(quantizers[sites["input"].path], inputs, given[path].slots)
            matrices = weight_rows(full.operation, full.operation.get_parameter("weight").detach())
            statistics = response_statistics(inputs.double(), exact.double(), matrices.double(),
                                             self.options.damping)
        place = sites["weight"].path
        operation: Any = model.operation(path)
        arrange = partial(weight_rows, operation)
        model.place(place, self._stitched(weight, finite_weight(model, place), place, arrange, statistics))

    def _stitched(self, quantizer: Uniform, weight: Tensor, path: str, arrange: Callable[[Tensor], Tensor],
                  statistics: tuple[Tensor, Tensor] | None) -> Stitched:
        """The quantizer with the integers chosen for ``weight``; ``arrange`` gives its rows in groups."""
        rows = Rows.of(quantizer, weight, path, arrange)
        matrix = arrange(weight).flatten(0, 1).double()
        integers, step = fwa(matrix, rows)
        unit = 2 ** (rows.slot_bits - 2)  # integer units of the first plane
        if self.options.weights != "fwa":
            planes, alpha = ofwa(matrix, split(integers, rows), step * unit, rows, self.options.plane_epochs)
            if statistics is not None:
                planes, alpha = ofwa_rr(*statistics, planes, alpha, rows, self.options.response_epochs,
                                        self.options.settled)
            integers, step = stitch(planes) * rows.spread(unit), alpha / unit
        positions = arrange(torch.arange(weight.numel(), device=weight.device).reshape(weight.shape)).flatten()
        arranged = torch.empty_like(integers.flatten()).index_copy_(0, positions, integers.flatten())
        return Stitched(quantizer.partition, quantizer.bits, arranged.reshape(weight.shape), step)
