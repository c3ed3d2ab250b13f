"""Duplicated input channels are in every cost: bit-operations, sizes, parameters, and the coverage says so."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
import torch
from full_size_models import DEIT_B, DEIT_S, DEIT_T, WIDTH, full_size, uniform
from torch import Tensor, nn

from harness import InstrumentedModel, Operation, Quantizer, Site, instrument, trace
from harness.cost.conventions import plain, quantformer, qvit
from harness.cost.coverage import coverage
from harness.cost.size import parameters
from harness.cost.size import plain as plain_size
from harness.cost.size import ptqvit as ptqvit_size
from harness.cost.size import quantformer as quantformer_size
from harness.cost.summary import summarize
from harness.registry import registry


class Wider(Quantizer):
    """4 bits, one step; says that the operation has so many times its input channels."""

    def __init__(self, expansion: float, bits: int = 4) -> None:
        super().__init__()
        self.expansion, self.bits = expansion, bits

    def quantize(self, tensor: Tensor) -> Tensor:
        return tensor

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "wider", "bits": self.bits, "granularity": "tensor", "groups": 1, "dynamic": False,
                "expansion": self.expansion}


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(4, 6, 3, padding=1), nn.LayerNorm(6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x).flatten(2).mean(2)))


def run(model: InstrumentedModel) -> object:
    return model(torch.ones(2, 4, 3, 3))


def small(weight: Quantizer | None = None, given: Quantizer | None = None) -> InstrumentedModel:
    """4 bits everywhere; the convolution with these quantizers."""
    model = instrument(Small(), {})
    for path, site in model.sites.items():
        model.place(path, uniform(site, 4))
    model.place("conv.weight", weight or model.quantizer("conv.weight"))
    model.place("conv.input", given or model.quantizer("conv.input"))
    return model


def traced(model: InstrumentedModel) -> dict[str, Operation]:
    return {operation.path: operation for operation in trace(model, run, samples=2)}


def as_large(channels: int) -> InstrumentedModel:
    """What a model expanded in truth would be: a convolution with so many input channels."""
    net = Small()
    net.conv = nn.Conv2d(channels, 6, 3, padding=1)
    model = instrument(net, {})
    for path, site in model.sites.items():
        model.place(path, uniform(site, 4))
    return model


CASES = {"weight": (Wider(1.25), None, 5), "input": (None, Wider(1.5), 6), "both": (Wider(1.25), Wider(2.0), 10)}


@pytest.mark.parametrize("case", CASES)
def test_costs_are_those_of_the_layer_with_more_channels(case: str) -> None:
    weight, given, channels = CASES[case]
    model, larger = small(weight, given), as_large(channels)
    operations = list(traced(model).values())
    expected = trace(larger, lambda twin: twin(torch.ones(2, channels, 3, 3)), samples=2)
    for convention in (plain, qvit, quantformer):
        assert convention(operations) == convention(expected)
    for size in (plain_size, ptqvit_size, quantformer_size, parameters):
        assert size(model) == size(larger)
    assert [(op.macs, op.inner, op.outputs, op.rows) for op in operations] == [
        (op.macs, op.inner, op.outputs, op.rows) for op in expected]


def test_a_contributed_convention_sees_it_too() -> None:
    operation = traced(small(Wider(1.25)))["conv"]
    assert operation.macs == operation.outputs * operation.inner == 6 * 9 * 5 * 9
    assert (operation.expansion, operation.plain_macs) == (1.25, 6 * 9 * 4 * 9)
    assert operation.operand("weight").expansion == 1.25
    assert operation.operand("input").expansion == 1


def test_only_the_expanded_layer_grows() -> None:
    grown, before = traced(small(Wider(1.25))), traced(small())
    assert grown["head"] == before["head"]
    assert plain(list(grown.values())) - plain(list(before.values())) == 16 * .25 * before["conv"].macs


def test_coverage_is_about_the_models_own_products() -> None:
    wider, same = (coverage(model, run, list(traced(model).values()), samples=2)
                   for model in (small(Wider(1.25)), small()))
    assert wider["macs_outside_sites"] == 0
    assert wider["quantized_macs_share"] == same["quantized_macs_share"] == 1
    assert [entry.get("expansion") for entry in wider["quantized"]] == [1.25, None, None, None]


def test_a_quantizer_that_is_switched_off_expands_nothing() -> None:
    model = small(Wider(1.25), Wider(1.5))
    with model.full_precision():
        assert traced(model)["conv"].macs == 6 * 9 * 4 * 9
        assert parameters(model) == parameters(small())


def test_without_expansion_a_record_says_what_it_always_said() -> None:
    """Costs by hand, and no new key anywhere."""
    summary = summarize(small(), run, registry(), samples=2)
    conv, head = 6 * 9 * 4 * 9, 5 * 6
    assert summary["macs"] == conv + head
    assert summary["bops"]["plain"] == summary["bops"]["qvit"] == 16 * (conv + head)
    assert summary["parameters"] == 6 * 4 * 9 + 6 + 12 + 6 * 5 + 5
    assert all(isinstance(value, int) for value in (summary["macs"], summary["parameters"]))
    assert [sorted(entry) for entry in summary["coverage"]["quantized"]] == 4 * [[
        "bits", "block", "dynamic", "granularity", "groups", "quantizer", "role", "site"]]


ENDS = ("patch_embed", "head", "query", "key", "attention", "value")


def split_deit(name: str, bits: int, ratio: float) -> list[Operation]:
    """As Quantformer's rows of OCS were read: blocks with ``ratio`` of their channels split, all else at 8 bits."""
    def quantizer(site: Site) -> Quantizer:
        if site.role in ENDS or not site.is_weight or not ratio:
            return uniform(site, 8 if site.role in ENDS else bits)
        inputs = site.layout.sizes[1] or 0
        return Wider((inputs + ceil(ratio * inputs)) / inputs, bits)

    return full_size(name).place(quantizer)


@pytest.mark.parametrize("name", [DEIT_T, DEIT_S, DEIT_B])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_linear_layers_grow_by_their_share_of_channels(name: str, bits: int) -> None:
    """b^2 MAC (1 + n / I), with n = ceil(.02 I)."""
    width, tokens, blocks = WIDTH[name], 197, 12
    extra = sum(macs * ceil(.02 * inputs) / inputs for macs, inputs in (
        (8 * width**2, width), (4 * width**2, 4 * width))) * blocks * tokens
    for convention in (plain, qvit, quantformer):
        grown = convention(split_deit(name, bits, .02)) - convention(split_deit(name, bits, 0))
        assert grown == pytest.approx(bits**2 * extra, rel=1e-9)


@pytest.mark.parametrize(("name", "published"), [
    (DEIT_T, {2: 22.5, 3: 27.9, 4: 35.0}), (DEIT_S, {2: 54.2, 3: 74.9, 4: 104.5}),
    (DEIT_B, {2: 140.7, 3: 226.8, 4: 345.2})])
def test_quantformers_rows_of_ocs(name: str, published: dict[int, float]) -> None:
    """G BOPs of its Table 5; the ratio is not printed. With 2 % all lie nearer than without splitting, but one."""
    for bits, giga in published.items():
        ours, unsplit = (quantformer(split_deit(name, bits, ratio)) / 1e9 for ratio in (.02, 0))
        assert ours == pytest.approx(giga, rel=.016)
        assert abs(ours - giga) < abs(unsplit - giga) or (name, bits) == (DEIT_T, 4)


@pytest.mark.parametrize(("name", "published"), [
    (DEIT_S, {2: 1.58, 3: 2.23, 4: 2.90}), (DEIT_B, {2: 5.79, 3: 8.48, 4: 11.23})])
def test_quantformers_parameters_of_ocs(name: str, published: dict[int, float]) -> None:
    """Millions of 32-bit parameters, within 1 %."""
    for bits, millions in published.items():
        split_deit(name, bits, .02)
        assert quantformer_size(full_size(name).model) / 4e6 == pytest.approx(millions, rel=.01)
