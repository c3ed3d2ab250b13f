"""Layers expanded in truth: gathered inputs and a matrix with more columns, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import Partition, Quantizer, Uniform
from harness_plugins.ocs.quantizer import Expanded


def symmetric(bits: int, reach: float) -> Uniform:
    """One step for the tensor, threshold ``reach``."""
    quantizer = Uniform(Partition.tensor(), bits, "symmetric")
    quantizer.set_range(torch.tensor([-reach]), torch.tensor([reach]))
    return quantizer


class ReallyExpanded(nn.Module):
    """A linear layer or convolution with I + n input channels, run as the paper runs it.

    Weights split: the activation is quantized, then gathered; the wider weight is quantized as it is stored.
    Activations split: gathered, halved, then quantized; the quantized weight has its columns repeated.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, weights: Quantizer, activations: Quantizer) -> None:
        super().__init__()
        self.activations, self.layer, axis = activations, layer, -1 if isinstance(layer, nn.Linear) else -3
        self.axis, plain = axis, layer.weight.detach()
        inner = weights.inner if isinstance(weights, Expanded) else weights
        if isinstance(weights, Expanded):
            table = weights.table(plain)
            self.index, stored = table.index, table.expand(plain, weights.inner.scale.detach())
            assert stored.shape[axis] == len(self.index) > plain.shape[axis]
        else:
            assert isinstance(activations, Expanded)
            self.index = activations.table(torch.zeros(())).index
            stored = plain.index_select(axis, self.index)
        with torch.no_grad():
            self.stored = nn.Parameter(stored)
        self.inner = inner

    def forward(self, values: Tensor) -> Tensor:
        if isinstance(self.activations, Expanded):
            table, inner = self.activations.table(values), self.activations.inner
            given = inner(values.index_select(self.axis, self.index) * table.gain + table.offset * inner.scale)
        else:
            given = self.activations(values).index_select(self.axis, self.index)
        if isinstance(self.layer, nn.Linear):
            return nn.functional.linear(given, self.inner(self.stored), self.layer.bias)
        return nn.functional.conv2d(given, self.inner(self.stored), self.layer.bias, self.layer.stride,
                                    self.layer.padding)
