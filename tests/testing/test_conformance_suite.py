"""Every installed method keeps the promises; and the suite notices methods that do not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from harness import Bits, Context, Method, MethodSpec, Options, Quantizer, Uniform, instrument
from harness.registry import registry
from harness.testing.conformance import MethodConformance
from harness.testing.tiny_vit import TINY_ADAPTERS, tiny_vit
from harness.testing.toy import toy_context

PROMISES = [name for name in vars(MethodConformance) if name.startswith("test_")]
METHODS = [name for name, spec in registry().methods.items()
           if name != "full_precision" and spec.plugin.split("(")[1].startswith("quantization-harness")]
#: Bits of a method that cannot do 4 and 8.
OTHER_BITS = {"bit": {"low": Bits(1, 1), "high": Bits(1, 2)}}
CASES = {method: type("Case", (MethodConformance,), {"method": method, **OTHER_BITS.get(method, {})})
         for method in METHODS}


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("method", METHODS)
def test_built_in_methods_conform(method: str, promise: str) -> None:
    getattr(CASES[method](), promise)()


def test_the_tiny_transformer_is_instrumented_without_a_change() -> None:
    pictures = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = tiny_vit()(pictures)
        torch.testing.assert_close(instrument(tiny_vit(), TINY_ADAPTERS)(pictures), expected, rtol=1e-5, atol=1e-6)


UNSEEDED = itertools.cycle([0.1, 0.2, 0.3])


class Broken(Method[Options]):
    """Breaks the promise in ``fault``; keeps the others."""

    fault = ""

    def place(self, context: Context) -> None:
        for path, site in context.model.sites.items():
            bits = context.bits.weights
            partition = site.layout.partition("channel" if site.is_weight else "tensor")
            quantizer: Quantizer = Uniform(partition, bits)
            if self.fault == "more values" and site.is_weight:
                quantizer = Uniform(partition, bits + 1)
                quantizer.describe = lambda uniform=quantizer: Uniform.describe(uniform) | {"bits": 4}  # type: ignore
            if self.fault == "not idempotent" and not site.is_weight:
                quantizer = Halving()
            if self.fault == "description":
                quantizer.describe = lambda: {"bits": 4}  # type: ignore[method-assign]
            if self.fault != "weights only" or site.is_weight:
                context.model.place(path, quantizer)

    def calibrate(self, context: Context) -> None:
        for path, quantizer in context.model.quantizers.items():
            if isinstance(quantizer, Uniform):
                weight = context.model.sites[path].is_weight
                operation = context.model.operation(context.model.sites[path].operation)
                reach = operation.weight.abs().max() if weight else torch.tensor(4.0)
                if self.fault == "unseeded":
                    reach = reach * (0.5 + next(UNSEEDED))
                if self.fault == "worse with bits" and context.bits.weights == 8:
                    reach = reach * 1e4
                quantizer.set_range(-reach.expand(quantizer.partition.slots), reach.expand(quantizer.partition.slots))


class Halving(Quantizer):
    """Not idempotent."""

    def quantize(self, tensor: Tensor) -> Tensor:
        return (tensor * 8).round() / 16

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "halving", "bits": 8, "granularity": "tensor", "groups": 1, "dynamic": False}


FAULTS = {
    "weights only": "test_it_quantizes_weights_and_activations",
    "more values": "test_weights_take_at_most_two_to_the_bits_values_a_slot",
    "not idempotent": "test_static_quantizers_are_idempotent",
    "worse with bits": "test_more_bits_are_not_much_worse",
    "description": "test_descriptions_are_well_formed",
    "unseeded": "test_the_same_seed_gives_the_same_model",
}


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_the_suite_notices(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = MethodSpec(name="broken", summary="", factory=f"{__name__}:Broken", quantizes="")
    monkeypatch.setitem(registry().methods._specs, "broken", spec)
    monkeypatch.setattr(type(registry()), "component", lambda self, spec: Broken)
    monkeypatch.setattr(Broken, "fault", fault)
    case = type("Case", (MethodConformance,), {"method": "broken"})()
    if fault:
        with pytest.raises((AssertionError, KeyError)):
            getattr(case, FAULTS[fault])()
    else:
        for promise in PROMISES:
            getattr(case, promise)()


def test_the_toy_context_is_ready_for_a_method() -> None:
    context = toy_context(Bits(4, 4))
    assert len(context.calibration) == 16
    assert context.model.quantizer("blocks.0.attn.query").describe()["bits"] == 32
