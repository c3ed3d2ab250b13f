"""The BitOPs C of eqs. 12 to 14 as a function of bit-widths that gradients pass through."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness import Bits, Context, Identity, InstrumentedModel, Operation, trace

from .ends import first_operations, last_operations
from .options import ENDS
from .quantizer import Switchable


class BitOperations:
    """C of a model as it is placed: MACs x bits x bits, as the cost convention ``qvit`` counts them.

    Products of attention average the product of their operands' bits over heads, all other operations multiply the
    averages. So C is a sum of products of weighted sums of bits, ``sum_j m_j (L b)_j (R b)_j``, with b the bits of
    all slots of all operands one after the other. Computed in float64: a float32 would round at a thousand BitOPs.
    """

    def __init__(self, model: InstrumentedModel, operations: Sequence[Operation]) -> None:
        operations = [operation for operation in operations if len(operation.operands) == 2]
        self._sites = [model.sites[operand.site] for operation in operations for operand in operation.operands]
        self._quantizers = [model.quantizer(site.path) for site in self._sites]
        self._ends = first_operations(model) | last_operations(model)
        self._device = next(iter(model.parameters())).device
        self._fixed = [self._tensor(quantizer.describe()["bits"]) for quantizer in self._quantizers]
        sizes = [len(self._present(place)) for place in range(len(self._sites))]
        chosen = torch.eye(sum(sizes), dtype=torch.float64).split(sizes)
        factors = [_factors(operation, *chosen[2 * number:2 * number + 2])
                   for number, operation in enumerate(operations)]
        self._macs, self._left, self._right = (torch.cat(parts).to(self._device)
                                               for parts in zip(*factors, strict=True))

    def __call__(self, bits: Tensor | None = None) -> Tensor:
        """BitOPs of one sample, a float64 scalar, at ``bits`` (by default the present ones, with their gradient)."""
        if bits is None:
            bits = torch.cat([self._present(place) for place in range(len(self._sites))]).double()
        return (self._macs * (self._left @ bits) * (self._right @ bits)).sum()

    @property
    def learned(self) -> bool:
        """Whether any bits are learned."""
        return any(isinstance(quantizer, Switchable) and quantizer.learns for quantizer in self._quantizers)

    @property
    def macs(self) -> float:
        """Multiply-accumulates of one sample."""
        return float(self._macs.sum())

    @torch.no_grad()
    def uniform(self, bits: Bits) -> float:
        """BitOPs with the same sites quantized, those of first and last layers at 8 bits, all others at ``bits``."""
        return float(self(torch.cat([self._uniform_bits(place, bits) for place in range(len(self._sites))])))

    @torch.no_grad()
    def least(self) -> float:
        """BitOPs with the fewest bits that learning can reach."""
        return float(self(torch.cat([self._least_bits(place) for place in range(len(self._sites))])))

    def _present(self, place: int) -> Tensor:
        quantizer = self._quantizers[place]
        return quantizer.bits if isinstance(quantizer, Switchable) else self._fixed[place]

    def _uniform_bits(self, place: int, bits: Bits) -> Tensor:
        site, present = self._sites[place], self._present(place).double()
        if isinstance(self._quantizers[place], Identity):
            return present
        own = bits.weights if site.is_weight else bits.activations
        return torch.full_like(present, ENDS if site.operation in self._ends else own)

    def _least_bits(self, place: int) -> Tensor:
        quantizer, present = self._quantizers[place], self._present(place).double()
        if isinstance(quantizer, Switchable) and quantizer.learns:
            return torch.full_like(present, quantizer.low)
        return present

    def _tensor(self, bits: int | list[int]) -> Tensor:
        return torch.tensor([bits] if isinstance(bits, int) else bits, dtype=torch.float32, device=self._device)


def bit_operations(context: Context) -> BitOperations:
    """C of the context's model, traced on one sample of the calibration set."""
    inputs = next(iter(context.calibration.batches(size=1)))
    return BitOperations(context.model, trace(context.model, lambda model: context.calibration.forward(model, inputs)))


def _factors(operation: Operation, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Summands of C for one operation: MACs, and rows that take each factor from the vector of all bits."""
    by_head = all(operand.granularity == "head" for operand in operation.operands) and len(left) == len(right)
    if operation.kind in ("scores", "values") and by_head:
        return torch.full((len(left),), operation.macs / len(left), dtype=torch.float64), left, right
    return torch.tensor([operation.macs], dtype=torch.float64), left.mean(0)[None], right.mean(0)[None]
