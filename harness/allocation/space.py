"""What a search of mixed precision chooses from: the sites whose bits may vary, and what bits cost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ..cost.operations import Operation, trace
from ..errors import QuantizationError
from ..method import Context
from ..model.site import Site
from ..quantizers.base import Quantizer
from ..request import Bits
from .knapsack import least_sum_within
from .options import AllocationOptions

#: The cost of one operation at given bits (site path -> number or tensor; what is left out has the run's bits).
Measure = Callable[[Operation, Mapping[str, Any]], Any]


def bit_operations(operation: Operation, bits: Mapping[str, Any]) -> Any:
    """MACs x bits x bits of one product; what groups add does not depend on bits and is left out."""
    product: Any = operation.macs
    for operand in operation.operands:
        product = product * bits.get(operand.site, operand.mean_bits)
    return product


def weight_bytes(operation: Operation, bits: Mapping[str, Any]) -> Any:
    """Bytes of the weight of one operation, duplicated channels included."""
    return sum((operand.elements * operation.expansion * bits.get(operand.site, operand.mean_bits) / 8
                for operand in operation.operands if operand.operand == "weight"), start=0.0)


class BitSpace:
    """The sites whose bits follow the run's, the bit-widths they may have, and the cost of any choice.

    ``sites``: path -> site in the order of the forward, without those that the method fixes (stem and head at 8
    bits) and those that no sample reaches. ``operations``: traced once, at the run's bits. ``base``: a trial at the
    run's bits. Raises :class:`harness.QuantizationError` where no site follows the run's bits.
    """

    def __init__(self, context: Context, options: AllocationOptions) -> None:
        self._context, self.options = context, options
        self.candidates = options.candidates or _around(context.bits)
        self.base = context.trial({})
        self.operations = trace(
            self.base.model, lambda model: list(context.calibration.responses(model, indices=[0])))
        following = _following(context, self.base)
        self.sites: dict[str, Site] = {
            operand.site: self.base.model.sites[operand.site] for operation in self.operations
            for operand in operation.operands if operand.site in following}
        if not self.sites:
            raise QuantizationError("mixed precision: no site has bits that follow the run's",
                                    "Use mixed=none, or a method that quantizes at the run's bits")
        self._quantizers: dict[int, dict[str, Quantizer]] = {}

    def total(self, bits: Mapping[str, Any], measure: Measure = bit_operations) -> Any:
        """The cost of the whole model: a number, or a tensor with a graph where ``bits`` are tensors.

        ``bits``: site path -> bits; what is left out has the run's.
        """
        return sum(measure(operation, bits) for operation in self.operations)

    def limit(self, measure: Measure = bit_operations) -> float:
        """The largest cost allowed: the budget times the cost at the run's bits.

        Raises :class:`harness.QuantizationError` where even the fewest bits cost more.
        """
        limit = self.options.budget * self.total({}, measure)
        least = self.total(dict.fromkeys(self.sites, self.candidates[0]), measure)
        if least > limit:
            raise QuantizationError(
                f"a budget of {self.options.budget:g} times the model at {self._context.bits} bits cannot be met: "
                f"with {self.candidates[0]} bits everywhere it is {least / limit * self.options.budget:.4g}",
                "Allow a larger budget (mixed.budget), or smaller bit-widths (mixed.candidates)")
        return limit

    def trial(self, allocation: Mapping[str, int]) -> Context:
        """A trial at these bits (see :meth:`harness.Context.trial`).

        Raises :class:`harness.QuantizationError` for a method that places other bits than it was given.
        """
        trial = self._context.trial(allocation)
        for path, bits in allocation.items():
            if (placed := trial.model.quantizer(path).mean_bits) != bits:
                raise QuantizationError(f"the method places {placed:g} bits at {path!r}, where {bits} were allocated",
                                        "Use mixed=none: this method chooses its bits itself")
        return trial

    def quantizers(self, bits: int) -> Mapping[str, Quantizer]:
        """Site path -> quantizer, calibrated with all sites at ``bits``; made once for each bit-width."""
        if bits not in self._quantizers:
            trial = self.trial(dict.fromkeys(self.sites, bits))
            self._quantizers[bits] = {path: trial.model.quantizer(path) for path in self.sites}
        return self._quantizers[bits]

    def best(self, penalties: Mapping[str, Mapping[int, float]], measure: Measure = bit_operations) -> dict[str, int]:
        """The bits of least total penalty within the limit, exactly (see :func:`harness.least_sum_within`).

        ``penalties``: site path -> bits -> penalty; a site that is left out keeps the run's bits. As every
        site belongs to one operation, choices are made for whole operations, so that costs add up.
        """
        choices = []
        for operation in self.operations:
            paths = [operand.site for operand in operation.operands if operand.site in penalties]
            choices.append([dict(zip(paths, each, strict=True))
                            for each in itertools.product(*(penalties[path] for path in paths))])
        values = [[sum(penalties[path][bits] for path, bits in choice.items()) for choice in row] for row in choices]
        costs = [[float(measure(operation, choice)) for choice in row]
                 for operation, row in zip(self.operations, choices, strict=True)]
        chosen = least_sum_within(values, costs, self.limit(measure))
        return {path: bits for row, index in zip(choices, chosen, strict=True) for path, bits in row[index].items()}


def _around(bits: Bits) -> tuple[int, ...]:
    """Two below the smaller to two above the larger of the run's bit-widths, at least 2."""
    both = (bits.weights, bits.activations)
    return tuple(range(max(2, min(both) - 2), max(both) + 3))


def _following(context: Context, base: Context) -> set[str]:
    """The sites whose bits are the run's: found by asking for other bits, so that a fixed 8 is no run's 8.

    What the run leaves in full precision (32 bits) stays so.
    """
    asked = context.bits
    other = Bits(*(bits + 1 if bits == 2 else bits - 1 for bits in (asked.weights, asked.activations)))
    context.bits = other
    try:
        shifted = context.trial({})
    finally:
        context.bits = asked

    def follows(path: str, site: Site) -> bool:
        first, second = (asked.weights, other.weights) if site.is_weight else (asked.activations, other.activations)
        placed = base.model.quantizer(path).mean_bits, shifted.model.quantizer(path).mean_bits
        return first < 32 and placed == (first, second)

    return {path for path, site in base.model.sites.items() if follows(path, site)}
