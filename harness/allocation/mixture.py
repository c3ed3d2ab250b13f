"""A quantizer between bit-widths: the weighted sum of a site's quantizers, in shares that are learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..model.instrument import InstrumentedModel
from ..quantizers.base import Quantizer


class BitMixture(Quantizer):
    """``sum_i share_i * Q_i(x)`` over the quantizers of one site at several bit-widths, whatever quantizers they are.

    ``candidates``: their bits, ascending, for ``quantizers`` in the same order. A subclass holds the parameters that
    decide (group ``bits``) and writes :meth:`shares`; the quantizers' own stay in the groups that they name.
    """

    def __init__(self, quantizers: Mapping[int, Quantizer]) -> None:
        super().__init__()
        self.candidates = tuple(sorted(quantizers))
        self.quantizers = nn.ModuleList(quantizers[bits] for bits in self.candidates)

    @abstractmethod
    def shares(self) -> dict[int, Tensor]:
        """Index of a candidate -> its share, a scalar; they add up to 1. Those that are left out have none."""

    def expected_bits(self) -> Tensor:
        """The mean bits, weighted by the shares: a scalar with a graph."""
        shares = self.shares()
        return sum((share * self.candidates[index] for index, share in shares.items()),
                   start=next(iter(shares.values())).new_zeros(()))

    def quantize(self, tensor: Tensor) -> Tensor:
        first, *others = ((self.quantizers[index](tensor), share) for index, share in self.shares().items())
        mixed: Tensor = first[0] * first[1]
        for quantized, share in others:
            mixed = mixed + quantized * share
        return mixed

    def parameter_group(self, name: str) -> str:
        return "bits"

    @property
    def mean_bits(self) -> float:
        return float(self.expected_bits().detach())

    def describe(self) -> dict[str, Any]:
        """As its first quantizer; ``bits`` rounded (see :attr:`mean_bits`)."""
        first: Quantizer = self.quantizers[0]  # type: ignore[assignment]
        described = first.describe()
        return {**described, "quantizer": f"mixture of {described['quantizer']}", "bits": round(self.mean_bits)}


def expected_bits(model: InstrumentedModel) -> dict[str, Tensor]:
    """Site path -> expected bits, for every mixture of the model."""
    return {path: quantizer.expected_bits() for path, quantizer in model.quantizers.items()
            if isinstance(quantizer, BitMixture)}
