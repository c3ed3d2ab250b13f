"""The search problem of an attention product: sums for candidates of either operand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from harness import Quantizer

from .inputs import Inputs, small_entries
from .operand import Operand
from .quadratic import Grams, by_grams, direct
from .similarity import Measure, Sums


class Product:
    """``scale * query @ key^T`` or ``attention @ value``, each pair of operands (batch, head, ., .).

    The scale multiplies whichever operand is held. Products have no bias: their output is one long
    column in :class:`.similarity.Sums`.
    """

    has_bias = False

    def __init__(self, names: tuple[str, str], quantizers: dict[str, Quantizer], inputs: Inputs) -> None:
        self.left, self.right = names
        self.inputs, self.scale = inputs, inputs.scale
        self.operands = {name: Operand(quantizers[name], inputs.bounds.get(name)) for name in names}
        self.bias = torch.zeros(1, dtype=torch.float64, device=inputs.device)

    def blocks(self, searched: str, held: float) -> Iterator[Measure]:
        """Blocks of the calibration set; each measures candidates with the other operand at ``held``."""
        side = 0 if searched == self.left else 1
        operand, other = self.operands[searched], self.operands[self.left if side else self.right]
        for pair in self.inputs.blocks(small_entries, shuffled=True):
            def measure(factors: Sequence[float], raw: Tensor = pair[side], opposite: Tensor = pair[1 - side]) -> Sums:
                target = self._rows(raw, side)
                exact = self._columns(opposite, 1 - side)
                quantized = self._columns(other.quantized(opposite, held), 1 - side)
                z, z_hat = exact.double().sum(-1), quantized.double().sum(-1)
                candidates = (self._rows(operand.quantized(raw, factor), side) for factor in factors)

                def total(change: Tensor) -> Tensor:
                    return (change.sum(1).double() * z_hat).sum().reshape(1)

                part = (direct(target, exact, quantized, candidates, total) if exact.shape[-1] <= exact.shape[-2]
                        else by_grams(target, Grams.of(exact, quantized), candidates, total))
                row_sum = target.sum(1).double()
                y, e = (row_sum * z).sum().reshape(1), (row_sum * (z_hat - z)).sum()
                rows = target[..., 0].numel() * exact.shape[-1]
                return Sums(rows, part.yy, y, part.ee, part.ye, part.changes + e)
            yield measure

    def _rows(self, tensor: Tensor, side: int) -> Tensor:
        """An operand as (batch * head, rows, inner): its rows, or the columns of the right one, are rows."""
        transposed = side == 1 and self.right != "key"
        return (tensor.mT if transposed else tensor).flatten(0, -3)

    def _columns(self, tensor: Tensor, side: int) -> Tensor:
        """The held operand as (batch * head, inner, columns), scaled."""
        return self._rows(tensor * self.scale, side).mT
