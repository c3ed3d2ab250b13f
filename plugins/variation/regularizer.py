"""Oscillation-aware bin regularisation (OBR): draws weights to the centres of their bins."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness import Context, Loss, QuantizationError, Step

from .bin_term import bin_term
from .bins import quantized_weights
from .options import BinOptions


class BinRegularization(Loss[BinOptions]):
    """``sum_m (error_m + sum_n Var(w of m in bin n))`` over the modules m with quantized weights, eq. 10.

    A module is what has a scale of its own. All quantized weights take part, those at 8 bits too (official code).
    """

    applies = True

    def prepare(self, context: Context) -> None:
        """Raises :class:`harness.QuantizationError` where no weight is quantized."""
        if not any(True for _ in quantized_weights(context.model)):
            raise QuantizationError("the loss obr has no quantized weight to regularise",
                                    "Quantize weights, or leave obr out of the losses")
        self.applies = context.bits.weights <= self.options.most_bits

    def weight(self, progress: float) -> float:
        """lambda(t); 0 throughout in runs at more than ``most_bits``."""
        return ramp(progress, self.options.start, self.options.weight) if self.applies else 0.0

    def forward(self, step: Step) -> Tensor:
        return torch.stack([bin_term(weight, quantizer, self.options)
                            for _, weight, quantizer in quantized_weights(step.model)]).sum()


def ramp(progress: float, start: float, end: float) -> float:
    """lambda(t): 0 up to ``start``, then ``end (1 - cos(pi r)) / 2`` with r from 0 to 1 (Nagel et al. 2022)."""
    return end * (1 - math.cos(math.pi * max(0.0, progress - start) / (1 - start))) / 2
