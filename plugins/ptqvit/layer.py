"""The search problem of a layer with a weight: sums for candidates of the weight or of the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness import Quantizer, weight_rows

from .inputs import Inputs, gram_rows, small_rows
from .operand import Operand
from .quadratic import Grams, by_grams, direct
from .rows import as_matrix
from .similarity import Measure, Sums

#: Widest input whose Gram matrices are formed: three of 4096 x 4096 are 400 MB in float64.
_WIDEST = 4096
#: Rows of a block where they are not: enough that quantizing the weight anew for each block does not matter.
_DIRECT_ROWS = 1024


class Layer:
    """A linear layer or convolution: (g, rows, k) input rows times (g, k, out / g) weights, g groups."""

    has_bias = True

    def __init__(self, operation: Any, quantizers: dict[str, Quantizer], inputs: Inputs) -> None:
        self.operation, self.inputs = operation, inputs
        self.weight = operation.weight.detach()
        self.target = weight_rows(operation, self.weight)
        outputs = self.target.shape[:2].numel()
        self.bias = (torch.zeros(outputs, device=self.weight.device) if operation.bias is None
                     else operation.bias.detach()).double()
        self.operands = {"weight": Operand.of(quantizers["weight"], self.weight),
                         "input": Operand(quantizers["input"], inputs.bounds.get("input"))}

    def blocks(self, searched: str, held: float) -> Iterator[Measure]:
        """Blocks of the calibration set; each measures candidates with the other operand at ``held``.

        For candidates of the weight there is one block, the whole set, reduced to Gram matrices, unless
        it has fewer rows than these.
        """
        if searched == "input":
            return self._of_input(held)
        inner = self.target.shape[-1]
        few = self.inputs.count <= inner or inner > _WIDEST
        return self._of_weight_direct(held) if few else self._of_weight(held)

    def correct_bias(self, shift: Tensor) -> None:
        """Add ``shift`` (out,) to the bias; a layer without one gets one."""
        corrected = (self.bias + shift).to(self.weight)
        if self.operation.bias is None:
            self.operation.bias = nn.Parameter(corrected, requires_grad=False)
        else:
            self.operation.bias.data.copy_(corrected)

    def _of_weight(self, held: float) -> Iterator[Measure]:
        grams: Grams | None = None
        groups, _, inner = self.target.shape
        z_hat = torch.zeros(groups, inner, dtype=torch.float64, device=self.weight.device)
        error, rows = torch.zeros_like(z_hat), 0
        for (block,) in self.inputs.blocks(gram_rows):
            exact, quantized = as_matrix(self.operation, block), self._quantized_rows(block, held)
            part = Grams.of(exact.mT, quantized.mT)
            grams = part.map(Tensor.double) if grams is None else grams.add_(part)
            z_hat, error = z_hat + quantized.double().sum(1), error + (quantized - exact).double().sum(1)
            rows += exact.shape[1]
        if grams is None:
            return
        narrow = grams.map(lambda gram: gram.to(self.target))
        hat, y, e = self._linear(z_hat, error)

        def measure(factors: Sequence[float]) -> Sums:
            part = by_grams(self.target, narrow, self._weights(factors),
                            lambda change: (change @ hat).flatten().double())
            return Sums(rows, part.yy, y, part.ee, part.ye, part.changes + e)
        yield measure

    def _of_weight_direct(self, held: float) -> Iterator[Measure]:
        """The same from the outputs of blocks: for fewer rows than the input is wide."""
        for (block,) in self.inputs.blocks(lambda _: _DIRECT_ROWS, shuffled=True):
            exact, quantized = as_matrix(self.operation, block), self._quantized_rows(block, held)
            hat, y, e = self._linear(quantized.double().sum(1), (quantized - exact).double().sum(1))

            def measure(factors: Sequence[float], exact: Tensor = exact, quantized: Tensor = quantized,
                        hat: Tensor = hat, y: Tensor = y, e: Tensor = e) -> Sums:
                part = direct(self.target, exact.mT, quantized.mT, self._weights(factors),
                              lambda change: (change @ hat).flatten().double())
                return Sums(exact.shape[1], part.yy, y, part.ee, part.ye, part.changes + e)
            yield measure

    def _linear(self, z_hat: Tensor, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From column sums of quantized rows and of their errors: those sums, and of the outputs Y and ``W E``."""
        hat, held_error = z_hat.to(self.target).unsqueeze(-1), error.to(self.target).unsqueeze(-1)
        return hat, (self.target @ (hat - held_error)).flatten().double(), (self.target @ held_error).flatten().double()

    def _weights(self, factors: Sequence[float]) -> Iterator[Tensor]:
        for factor in factors:
            # Contiguous, and new memory also where the rows are a view of the quantized weight.
            yield weight_rows(self.operation, self.operands["weight"].quantized(self.weight, factor)).contiguous()

    def _of_input(self, held: float) -> Iterator[Measure]:
        exact = self.target.mT
        quantized = weight_rows(self.operation, self.operands["weight"].quantized(self.weight, held)).mT
        z, z_hat = exact.double(), quantized.double()
        grams = None if exact.shape[-1] <= exact.shape[-2] else Grams.of(exact, quantized)
        for (block,) in self.inputs.blocks(small_rows, shuffled=True):
            target = as_matrix(self.operation, block)
            total = target.double().sum(1, keepdim=True)

            def measure(factors: Sequence[float], block: Tensor = block, target: Tensor = target,
                        total: Tensor = total) -> Sums:
                candidates = (self._quantized_rows(block, factor) for factor in factors)
                part = (direct(target, exact, quantized, candidates, _row_sum) if grams is None
                        else by_grams(target, grams, candidates, _row_sum))
                e = torch.einsum("cgk,gko->cgo", part.changes, z_hat) + (total @ (z_hat - z)).squeeze(1)
                return Sums(target.shape[1], part.yy, (total @ z).flatten(), part.ee, part.ye, e.flatten(1))
            yield measure

    def _quantized_rows(self, block: Tensor, factor: float) -> Tensor:
        return as_matrix(self.operation, self.operands["input"].quantized(block, factor))


def _row_sum(change: Tensor) -> Tensor:
    return change.sum(1).double()
