"""Where the weights lie among the steps of their quantizers, before and after training (Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from harness import Context, InstrumentedModel, Monitor, Step

from .bins import Bins, Signs, centred, quantized_slots, quantized_weights
from .modules import is_module

#: Cells of one step of a quantizer, the block that is looked at (the paper's, the second), and the most bits.
CELLS, BLOCK, MOST_BITS = 10, 1, 4


class WeightHistogram(Monitor):
    """Histograms of the weights of one block, in steps of their quantizers; the note has the first and the last.

    One-bit weights are left out: signs have no steps.
    """

    def prepare(self, context: Context) -> None:
        self._model = context.model
        for number, (_, _, counts) in enumerate(_histograms(self._model)):
            self.register_buffer(f"before_{number}", counts)

    def forward(self, step: Step) -> None:
        """Nothing: the ends of the training are enough."""

    def notes(self) -> dict[str, Any]:
        """``weight_bins``: site -> ``low`` (first edge, in steps), ``cells`` (of one step), and how many weights were
        in each cell ``before`` and ``after`` training; the outermost cells have all that lie beyond."""
        found = {path: {"low": low, "cells": CELLS, "before": self.get_buffer(f"before_{number}").tolist(),
                        "after": counts.tolist()}
                 for number, (path, low, counts) in enumerate(_histograms(self._model))}
        return {"weight_bins": found} if found else {}


@torch.no_grad()
def _histograms(model: InstrumentedModel) -> Iterator[tuple[str, int, Tensor]]:
    """Path, first edge and counts of each weight, from a step below its smallest integer to one above the largest."""
    for path, weight, quantizer in quantized_weights(model):
        site = model.sites[path]
        if not isinstance(quantizer, Bins) or isinstance(quantizer, Signs):
            continue
        if site.block != BLOCK or not is_module(site.role):
            continue
        low, high = int(quantizer.limits()[0].min()) - 1, int(quantizer.limits()[1].max()) + 1
        if high - low > 2**MOST_BITS + 1:
            continue
        steps = centred(weight, quantizer) / quantizer.partition.spread(quantizer.scale)
        quantized = quantizer.partition.spread(quantized_slots(quantizer)).expand(weight.shape)
        cells = (high - low) * CELLS
        cell = ((steps[quantized] - low) * CELLS).floor().clamp(0, cells - 1).long()
        yield path, low, torch.bincount(cell, minlength=cells)
