"""What every cost convention promises; subclass :class:`CostConformance` in your package's tests."""

from __future__ import annotations

import math
from typing import ClassVar

from ..cost.operations import trace
from ..model.instrument import instrument
from ..quantizers.uniform import Uniform
from ..registry import registry
from .component import ComponentLaws
from .law import law, require
from .method_run import pictures
from .tiny_vit import TINY_ADAPTERS, tiny_vit


class CostConformance(ComponentLaws):
    """Checks one convention on the operations of a tiny transformer; ``cost`` is its registered name."""

    kind = "cost"
    cost: ClassVar[str]

    @law("Return one number >= 0 for any operations, whatever their kinds and granularities")
    def test_it_is_a_number(self) -> None:
        for bits in (4, 8, 32):
            cost = self._cost(bits)
            require(math.isfinite(cost) and cost >= 0, f"at {bits} bits it is {cost}")

    @law("Use nothing but the operations, and leave them as they are")
    def test_it_is_a_function_of_the_operations(self) -> None:
        require(self._cost(4) == self._cost(4), "counted twice, it differs")

    @law("Count the bits of both operands: operand.mean_bits")
    def test_fewer_bits_cost_no_more(self) -> None:
        few, many = self._cost(4), self._cost(8)
        require(few <= many, f"4 bits cost {few:.4g}, 8 bits {many:.4g}")

    def _cost(self, bits: int) -> float:
        model = instrument(tiny_vit(), TINY_ADAPTERS)
        for path, site in model.sites.items() if bits < 32 else ():
            model.place(path, Uniform(site.layout.partition("channel" if site.is_weight else "tensor"), bits))
        return float(registry().component(self.spec)(trace(model, lambda subject: subject(pictures(1)))))
