"""What every method promises beside its numbers: bits that work, and a process and models that are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..cost.summary import summarize
from ..engine.possible import check_bits
from ..errors import OptionError
from ..options import merged
from ..registry import registry
from ..request import Bits
from ..specs import BitRange, MethodSpec
from .law import law, require
from .left_behind import LeftBehindLaws
from .method_run import MethodRun, pictures, run_method, tried_kind

PLACED = ("allocate", "place", "calibrate")


class MethodContract(LeftBehindLaws):
    """The laws of a method that are not about numbers, and the runs that all laws look at."""

    kind = "method"
    method: ClassVar[str]
    low: ClassVar[Bits | None] = None
    high: ClassVar[Bits | None] = None
    _made: ClassVar[dict[Bits, MethodRun]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._made = {}

    @property
    def few(self) -> Bits:
        """The few bits that most laws are tried at."""
        return self.low or nearest_bits(self.spec, 4)

    @property
    def many(self) -> Bits:
        """The many bits that they are compared with."""
        return self.high or nearest_bits(self.spec, 8)

    def made(self, bits: Bits) -> MethodRun:
        """The run at these bits, calibrated and not trained; made once."""
        if bits not in self._made:
            self._made[bits] = self.run(bits)
        return self._made[bits]

    def run(self, bits: Bits, **how: Any) -> MethodRun:
        """A fresh run; ``how``: see :func:`run_method`."""
        return run_method(self.name, self.tried, bits, PLACED, **how)

    def runs(self) -> Iterator[MethodRun]:
        yield self.made(self.few)

    @law("Declare what works in weight_bits and activation_bits, and in kind_bits what works on tasks of a kind")
    def test_the_bits_that_it_declares_work_and_others_are_refused(self) -> None:
        """The ends of its ranges, with the method's own options: those of a suite may allow fewer."""
        weights, activations = _ranges(self.spec)
        for each in (weights, activations):
            require(1 <= each.low <= each.high <= 32, f"the bits from {each.low} to {each.high} are no range")
        for bits in (Bits(weights.low, activations.low), Bits(weights.high, activations.high)):
            run = run_method(self.name, self.spec.checked_with, bits, PLACED) if self.options else self.made(bits)
            outputs = run.outputs()
            require(bool(outputs.isfinite().all()), f"at {bits} the outputs have NaN or infinity")
        for outside in (Bits(weights.low - 1, activations.low), Bits(weights.high, activations.high + 1)):
            try:
                check_bits(self.spec, outside, tried_kind(self.spec))
            except OptionError:
                continue
            require(False, f"{outside} is not refused")

    @law("Give what the options of the class accept in ablations and task_options")
    def test_its_ablations_and_task_options_are_valid(self) -> None:
        for given in (*self.spec.ablations.values(), *self.spec.task_options.values()):
            self.resolved(merged({}, given))

    @law("Compute products in the model's own operations, or contribute an adapter that gives them sites")
    def test_every_product_has_a_quantizer_or_is_listed(self) -> None:
        model = self.made(self.few).model
        coverage = summarize(model, lambda subject: subject(pictures(1)), registry())["coverage"]
        listed = {entry["site"] for entry in coverage["quantized"]} | set(coverage["full_precision"])
        require(model.sites.keys() <= listed, f"{min(model.sites.keys() - listed, default='')} is never computed")
        outside = coverage["macs_outside_sites"]
        require(outside == 0, f"{outside} products are computed outside of every site: {coverage['outside_sites']}")


def nearest_bits(spec: MethodSpec, bits: int) -> Bits:
    """``bits`` for weights and activations, or the nearest that a method declares."""
    weights, activations = (min(max(bits, each.low), each.high) for each in _ranges(spec))
    return Bits(weights, activations)


def _ranges(spec: MethodSpec) -> tuple[BitRange, BitRange]:
    return spec.kind_bits.get(tried_kind(spec), (spec.weight_bits, spec.activation_bits))
