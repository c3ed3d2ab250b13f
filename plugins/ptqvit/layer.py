"""The search problem of a layer with a weight: sums for candidates of the weight or of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness import Quantizer, input_rows, weight_rows

from .blocks import in_blocks
from .operand import Operand
from .quadratic import Grams, by_grams, direct
from .similarity import Measure, Sums

#: One pass over the inputs of an operation, a calibration batch at a time.
Inputs = Callable[[], Iterator[tuple[Tensor, ...]]]


class Layer:
    """A linear layer or convolution: (g, rows, k) input rows times (g, k, out / g) weights, g groups."""

    has_bias = True

    def __init__(self, operation: Any, quantizers: dict[str, Quantizer], inputs: Inputs) -> None:
        self.operation, self.inputs = operation, inputs
        self.weight = operation.weight.detach()
        self.bias = (torch.zeros(len(self.weight), device=self.weight.device) if operation.bias is None
                     else operation.bias.detach()).double()
        self.operands = {"weight": Operand(quantizers["weight"], [self.weight]),
                         "input": Operand(quantizers["input"], (chunk[0] for chunk in inputs()))}

    def blocks(self, searched: str, held: float) -> Iterator[Measure]:
        """Blocks of the calibration set; each measures candidates with the other operand at ``held``.

        For candidates of the weight there is one block, the whole set, reduced to Gram matrices.
        """
        return self._of_weight(held) if searched == "weight" else self._of_input(held)

    def correct_bias(self, shift: Tensor) -> None:
        """Add ``shift`` (out,) to the bias; a layer without one gets one."""
        corrected = (self.bias + shift).to(self.weight)
        if self.operation.bias is None:
            self.operation.bias = nn.Parameter(corrected, requires_grad=False)
        else:
            self.operation.bias.data.copy_(corrected)

    def _of_weight(self, held: float) -> Iterator[Measure]:
        grams: Grams | None = None
        groups, _, inner = weight_rows(self.operation, self.weight).shape
        z_hat = torch.zeros(groups, inner, dtype=torch.float64, device=self.weight.device)
        error, rows = torch.zeros_like(z_hat), 0
        for (block,) in in_blocks(self.inputs()):
            exact = input_rows(self.operation, block)
            quantized = self._quantized_rows(block, exact, held)
            part = Grams.of(exact.mT, quantized.mT).map(Tensor.double)
            grams = part if grams is None else grams + part
            z_hat, error = z_hat + quantized.double().sum(1), error + (quantized - exact).double().sum(1)
            rows += exact.shape[1]
        target = weight_rows(self.operation, self.weight)
        if grams is None:
            return
        narrow = grams.map(lambda gram: gram.to(target))
        hat, held_error = z_hat.to(target).unsqueeze(-1), error.to(target).unsqueeze(-1)
        y = (target @ (hat - held_error)).flatten().double()
        e = (target @ held_error).flatten().double()

        def measure(factors: Sequence[float]) -> Sums:
            part = by_grams(target, narrow, self._weights(factors), lambda change: (change @ hat).flatten().double())
            return Sums(rows, part.yy, y, part.ee, part.ye, part.changes + e)
        yield measure

    def _weights(self, factors: Sequence[float]) -> Iterator[Tensor]:
        for factor in factors:
            yield weight_rows(self.operation, self.operands["weight"].quantized(self.weight, factor))

    def _of_input(self, held: float) -> Iterator[Measure]:
        exact = weight_rows(self.operation, self.weight).mT
        quantized = weight_rows(self.operation, self.operands["weight"].quantized(self.weight, held)).mT
        z, z_hat = exact.double(), quantized.double()
        grams = None if exact.shape[-1] <= exact.shape[-2] else Grams.of(exact, quantized)
        for (block,) in in_blocks(self.inputs()):
            target = input_rows(self.operation, block)
            total = target.double().sum(1, keepdim=True)

            def measure(factors: Sequence[float], block: Tensor = block, target: Tensor = target,
                        total: Tensor = total) -> Sums:
                candidates = (self._quantized_rows(block, target, factor) for factor in factors)
                part = (direct(target, exact, quantized, candidates, _row_sum) if grams is None
                        else by_grams(target, grams, candidates, _row_sum))
                e = torch.einsum("cgk,gko->cgo", part.changes, z_hat) + (total @ (z_hat - z)).squeeze(1)
                return Sums(target.shape[1], part.yy, (total @ z).flatten(), part.ee, part.ye, e.flatten(1))
            yield measure

    def _quantized_rows(self, block: Tensor, rows: Tensor, factor: float) -> Tensor:
        operand = self.operands["input"]
        # With one scale for all, a convolution's patches need not be made again (padding stays 0).
        return (operand.quantized(rows, factor) if operand.slots == 1
                else input_rows(self.operation, operand.quantized(block, factor)))


def _row_sum(change: Tensor) -> Tensor:
    return change.sum(1).double()
