"""Which sites may vary, and what bits cost, against the cost model itself."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from spaces import method_of, space_of

from harness import (
    AllocationOptions,
    Bits,
    BitSpace,
    Context,
    Operand,
    Operation,
    OptionError,
    QuantizationError,
    Site,
    bit_operations,
    trace,
    weight_bytes,
)
from harness.cost.conventions import plain
from harness.cost.size import plain as plain_size
from harness.options import resolve
from harness.testing.toy import toy_context


@pytest.fixture(scope="module")
def space() -> BitSpace:
    return space_of()


def product(weight: object, activation: object, macs: int = 10) -> object:
    operands = tuple(Operand(name, name, 6, "uniform", 4, "tensor", 1, False) for name in ("weight", "input"))
    return bit_operations(Operation("fc", "linear", "fc1", 0, macs, 5, 2, 1, operands),
                          {"weight": weight, "input": activation})


def test_cost_of_one_product() -> None:
    assert product(3.25, 2.5) == pytest.approx(8.125 * 10)
    bits = torch.tensor(3.0, requires_grad=True)
    cost = product(bits, 5.0)
    assert isinstance(cost, torch.Tensor)
    cost.backward()
    assert (cost.item(), bits.grad.item()) == (150, 50)


def test_sites_are_those_that_follow_the_runs_bits_in_the_order_of_the_forward(space: BitSpace) -> None:
    block = ["attn.qkv.weight", "attn.qkv.input", "attn.query", "attn.key", "attn.attention", "attn.value",
             "attn.proj.weight", "attn.proj.input", "fc1.weight", "fc1.input", "fc2.weight", "fc2.input"]
    assert list(space.sites) == ["stem.weight", *(f"blocks.{i}.{name}" for i in range(2) for name in block),
                                 "head.weight", "head.input"]


@pytest.mark.parametrize(("method", "options", "fixed"), [
    ("minmax", {}, {"stem.input"}),
    ("minmax", {"head_bits": 8}, {"stem.input", "head.weight", "head.input"}),
    ("minmax", {"scope": "no_head"}, {"stem.input", "head.weight", "head.input"}),
    ("igqvit", {"head_stem_bits": 8}, {"stem.weight", "stem.input", "head.weight", "head.input"})])
def test_what_a_method_fixes_at_8_bits_stays_fixed_in_a_run_at_8_bits(
        method: str, options: dict[str, object], fixed: set[str]) -> None:
    space = space_of(method, "8/8", (6, 8), **options)
    assert set(space.base.model.sites) - set(space.sites) == fixed


def test_what_the_run_leaves_in_full_precision_stays_so() -> None:
    assert all(site.is_weight for site in space_of("minmax", "4/32").sites.values())


def test_candidates_lie_around_the_runs_bits() -> None:
    def of(bits: Bits) -> tuple[int, ...]:
        return BitSpace(toy_context(bits, method=method_of("minmax")), AllocationOptions()).candidates

    assert of(Bits(4, 4)) == (2, 3, 4, 5, 6)
    assert of(Bits(3, 6)) == (2, 3, 4, 5, 6, 7, 8)


def test_the_total_is_the_plain_convention_on_the_model_with_these_bits(space: BitSpace) -> None:
    generator = random.Random(0)
    for _ in range(3):
        allocation = {path: generator.choice(space.candidates) for path in space.sites}
        model = space.trial(allocation).model
        x = torch.randn(1, 3, 16, 16)
        assert space.total(allocation) == pytest.approx(plain(trace(model, lambda m: m(x))))  # noqa: B023


def test_bytes_differ_as_those_of_the_models_do(space: BitSpace) -> None:
    generator = random.Random(1)
    allocation = {path: generator.choice(space.candidates) for path in space.sites}
    expected = plain_size(space.trial(allocation).model) - plain_size(space.trial({}).model)
    assert space.total(allocation, weight_bytes) - space.total({}, weight_bytes) == pytest.approx(expected)


def test_no_bits_means_the_runs_bits(space: BitSpace) -> None:
    assert space.total({}) == space.total(dict.fromkeys(space.sites, 4)) == space.limit()


def test_quantizers_are_calibrated_at_each_bit_width(space: BitSpace) -> None:
    weight = space.base.model.operation("head").get_parameter("weight").detach()
    for bits in space.candidates:
        quantizer = space.quantizers(bits)["head.weight"]
        assert quantizer.mean_bits == bits
        span = weight.amax(1).clamp(min=0) - weight.amin(1).clamp(max=0)
        torch.testing.assert_close(quantizer.scale, span / (2**bits - 1))
    assert space.quantizers(2) is space.quantizers(2)


def test_the_best_allocation_is_the_best_of_all() -> None:
    space = space_of(budget=0.93)
    paths = ["blocks.0.attn.query", "blocks.0.attn.key", "blocks.0.fc1.weight", "blocks.0.fc1.input",
             "blocks.1.fc2.weight", "blocks.1.attn.value"]
    generator = random.Random(2)
    penalties = {path: {bits: generator.random() / bits for bits in (2, 4, 6)} for path in paths}
    best, choice = float("inf"), {}
    for each in itertools.product((2, 4, 6), repeat=len(paths)):
        bits = dict(zip(paths, each, strict=True))
        value = sum(penalties[path][b] for path, b in bits.items())
        if space.total(bits) <= space.limit() and value < best:
            best, choice = value, bits
    unlimited = {path: min(each, key=lambda bits: each[bits]) for path, each in penalties.items()}
    assert space.total(unlimited) > space.limit(), "the budget should matter here"
    assert space.best(penalties) == choice


def test_a_budget_below_the_fewest_bits_is_named() -> None:
    space = space_of(budget=0.2)
    with pytest.raises(QuantizationError, match=r"0\.2 times the model at 4/4 bits .* it is 0\.3076"):
        space.limit()


def test_a_method_that_does_not_place_what_it_was_given_is_refused(space: BitSpace,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = space_of()
    monkeypatch.setattr(deaf._context, "make_trial", lambda allocation: deaf.base)
    with pytest.raises(QuantizationError, match=r"places 4 bits at 'stem.weight', where 2 were allocated"):
        deaf.trial({"stem.weight": 2})


def test_a_method_whose_bits_do_not_follow_the_runs_is_refused() -> None:
    method = method_of("minmax")

    def always(site: Site, context: Context) -> int:
        return 5

    method.bits_of = always  # type: ignore[attr-defined]
    with pytest.raises(QuantizationError, match="no site has bits that follow"):
        BitSpace(toy_context(Bits(5, 5), method=method), AllocationOptions())


@pytest.mark.parametrize("given", [[4], [4, 4], [0, 4], [4, 17]])
def test_candidates_that_leave_no_choice_or_make_no_sense(given: list[int]) -> None:
    with pytest.raises(OptionError):
        resolve(AllocationOptions, {"candidates": given}, "search")


def test_the_runs_bits_are_as_before() -> None:
    context = toy_context(Bits(4, 3), method=method_of("minmax"))
    BitSpace(context, AllocationOptions())
    assert context.bits == Bits(4, 3)
    assert context.allocation == {}
