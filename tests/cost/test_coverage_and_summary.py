"""What a record says of coverage, and that nothing escapes it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from full_size_models import DEIT_T, SWIN_T, full_size, uniform
from torch import Tensor, nn

from harness import InstrumentedModel, Quantizer, Uniform, instrument, trace
from harness.cost.coverage import coverage, macs_outside_sites
from harness.cost.summary import summarize
from harness.registry import registry
from harness.results.record import Costs


class Model(nn.Module):
    """Two linear layers that are seen, one that is never called, and a product that no site sees."""

    def __init__(self, hidden_product: bool) -> None:
        super().__init__()
        self.first, self.second, self.unused = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(2, 2)
        self.mixing = nn.Parameter(torch.ones(6, 6))
        self.hidden_product = hidden_product

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.second(x @ self.mixing if self.hidden_product else x)


def run(model: InstrumentedModel) -> object:
    """One forward of two samples of three rows."""
    return model(torch.ones(2, 3, 4))


def covered(hidden_product: bool = False, bits: int = 4, sites: tuple[str, ...] = ("first.weight", "first.input")
            ) -> tuple[InstrumentedModel, dict[str, Any]]:
    model = instrument(Model(hidden_product), {})
    for path in sites:
        model.place(path, uniform(model.sites[path], bits, "channel"))
    return model, coverage(model, run, trace(model, run, samples=2), samples=2)


def test_every_site_is_listed_once() -> None:
    _, said = covered()
    assert [entry["site"] for entry in said["quantized"]] == ["first.weight", "first.input"]
    assert said["full_precision"] == ["second.weight", "second.input"]
    assert said["not_run"] == ["unused"]
    assert said["quantized"][0] == {
        "site": "first.weight", "role": "linear", "block": None, "quantizer": "uniform asymmetric", "bits": 4,
        "granularity": "channel", "groups": 6, "dynamic": False}


def test_macs_count_as_quantized_when_all_operands_are() -> None:
    assert covered()[1]["quantized_macs_share"] == 24 / (24 + 12)
    assert covered(sites=("first.weight", "second.input"))[1]["quantized_macs_share"] == 0
    assert covered(bits=32)[1]["quantized"] == []


def test_a_product_outside_of_any_site_is_reported() -> None:
    assert covered()[1]["macs_outside_sites"] == 0
    said = covered(hidden_product=True)[1]
    assert said["macs_outside_sites"] == 3 * 6 * 6
    assert said["quantized_macs_share"] == pytest.approx(3 * 24 / (3 * (24 + 12) + 3 * 6 * 6))


class Mixing(Quantizer):
    """A quantizer with a product inside of it."""

    def quantize(self, tensor: Tensor) -> Tensor:
        return tensor @ torch.eye(tensor.shape[-1])

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "mixing", "bits": 4, "granularity": "tensor", "groups": 1, "dynamic": False}


def test_products_inside_a_quantizer_are_not_the_models() -> None:
    model = instrument(Model(hidden_product=False), {})
    model.place("first.input", Mixing())
    assert macs_outside_sites(model, run, trace(model, run, 2), 2) == 0


@pytest.mark.parametrize("name", [DEIT_T, SWIN_T])
def test_vit_and_swin_are_covered_whole(name: str) -> None:
    subject = full_size(name)
    said = coverage(subject.model, subject.run, subject.at_bits(4))
    assert (said["macs_outside_sites"], said["quantized_macs_share"], said["full_precision"]) == (0, 1.0, [])
    assert len(said["quantized"]) == len(subject.model.sites)


def test_bits_of_each_slot_are_in_the_coverage() -> None:
    model = instrument(Model(hidden_product=False), {})
    model.place("second.weight", Uniform(model.sites["second.weight"].layout.partition("channel"), [2, 8]))
    [entry] = coverage(model, run, trace(model, run, 2), 2)["quantized"]
    assert entry["bits"] == [2, 8]


def test_summary_is_what_a_record_holds() -> None:
    model, said = covered()
    summary = summarize(model, run, registry(), samples=2)
    assert summary.pop("coverage") == said
    costs = Costs(**summary)
    assert costs.macs == 3 * (24 + 12)
    assert costs.bops["plain"] == 3 * 24 * 16 + 3 * 12 * 1024 + (4 - 1) * 18 * 32  # 4 channel scales meet in a sum
    assert costs.bops["qvit"] == 3 * 24 * 16 + 3 * 12 * 1024
    assert set(costs.bops) == set(registry().costs)
    assert costs.parameters == 4 * 6 + 6 + 6 * 2 + 2 + 2 * 2 + 2 + 36
    assert set(costs.sizes) == {"plain", "ptqvit", "quantformer"}
