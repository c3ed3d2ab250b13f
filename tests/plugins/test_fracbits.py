"""FracBits: interpolation and its gradient, the distance from the target, hardening, and the search as a whole."""

from __future__ import annotations

import pytest
import torch
from allocation_cases import allocated, check_run, space_of

from harness import BitSpace, Partition, Step, Uniform, bit_operations
from harness.testing.training import TrainingConformance
from harness_plugins.fracbits.mixture import CostDistance, FractionalBits
from harness_plugins.fracbits.options import FracBitsOptions
from harness_plugins.fracbits.search import harden


@pytest.fixture(scope="module")
def space() -> BitSpace:
    return space_of((2, 3, 4, 5, 6))


def uniform(bits: int) -> Uniform:
    quantizer = Uniform(Partition.tensor(), bits, "symmetric")
    quantizer.set_range(torch.tensor([-1.0]), torch.tensor([1.0]))
    return quantizer


def fractional(start: float, candidates: tuple[int, ...] = (2, 3, 4, 5, 6)) -> FractionalBits:
    return FractionalBits({bits: uniform(bits) for bits in candidates}, start)


@pytest.mark.parametrize(("start", "floor"), [(3.25, 3), (4.5, 4), (4.0, 4), (2.0, 2), (6.0, 5)])
def test_real_bits_interpolate_between_their_neighbours(start: float, floor: int) -> None:
    torch.manual_seed(0)
    quantizer, x = fractional(start), torch.randn(60) * 0.4
    expected = (start - floor) * uniform(floor + 1)(x) + (floor + 1 - start) * uniform(floor)(x)
    torch.testing.assert_close(quantizer(x), expected)
    assert quantizer.mean_bits == pytest.approx(start)
    weight = torch.randn(60)
    (quantizer(x) * weight).sum().backward()
    slope = ((uniform(floor + 1)(x) - uniform(floor)(x)) * weight).sum()
    assert float(quantizer.bits.grad) == pytest.approx(float(slope), rel=1e-4, abs=1e-4)  # type: ignore[arg-type]


def test_candidates_need_not_be_consecutive() -> None:
    quantizer, x = fractional(5.0, (2, 4, 8)), torch.randn(60) * 0.4
    torch.testing.assert_close(quantizer(x), 0.75 * uniform(4)(x) + 0.25 * uniform(8)(x))
    assert quantizer.mean_bits == pytest.approx(5)


def test_bits_stay_among_the_candidates() -> None:
    quantizer = fractional(9.0)
    assert quantizer.bits.item() == 6
    with torch.no_grad():
        quantizer.bits.fill_(-1.0)
    quantizer(torch.randn(3))
    assert quantizer.bits.item() == 2


def test_the_cost_of_real_bits(space: BitSpace) -> None:
    operation = next(each for each in space.operations if each.path == "blocks.0.fc1")
    bits = {"blocks.0.fc1.weight": fractional(3.25).expected_bits(), "blocks.0.fc1.input": 2.5}
    assert bit_operations(operation, bits).item() == pytest.approx(8.125 * operation.macs)


@pytest.mark.parametrize("start", [2.5, 5.5])
def test_the_distance_pulls_towards_the_target_from_both_sides(start: float) -> None:
    space = space_of((2, 3, 4, 5, 6), budget=0.9)
    made = {path: fractional(start) for path in space.sites}
    for path, quantizer in made.items():
        space.base.model.place(path, quantizer)
    nothing = torch.zeros(())
    step = Step(space.base.model, None, [], nothing, nothing, {}, 0, 0.0, lambda batch: None)  # type: ignore[arg-type]
    distance = CostDistance(space, 1.0)(step)
    cost = space.total(dict.fromkeys(space.sites, start))
    assert distance.item() == pytest.approx(abs(cost / (0.9 * space.total({})) - 1), rel=1e-5)
    distance.backward()
    for quantizer in made.values():
        assert quantizer.bits.grad is not None
        assert (float(quantizer.bits.grad) > 0) == (start > 4)


def test_hardening_takes_the_largest_offset_within_the_budget(space: BitSpace) -> None:
    generator = torch.Generator().manual_seed(0)
    for centre in (3.0, 4.0, 5.5):
        real = {path: centre + float(torch.rand((), generator=generator)) - 0.5 for path in space.sites}
        chosen, offset = harden(space, real)
        assert space.total(chosen) <= space.limit()
        # Every offset at which some site changes its bits, and just above it.
        edges = sorted(k + 0.5 - bits for bits in real.values() for k in range(-6, 16))
        fitting = [edge for edge in edges if space.total(
            {path: min(6, max(2, round(bits + edge + 1e-9))) for path, bits in real.items()}) <= space.limit()]
        best = {path: min(6, max(2, round(bits + max(fitting) + 1e-9))) for path, bits in real.items()}
        assert space.total(chosen) == space.total(best)
        assert chosen == best
        assert max(fitting) - 1e-6 <= offset


def test_a_budget_for_the_most_bits_takes_them() -> None:
    rich = space_of((2, 4), budget=5.0)
    assert set(harden(rich, dict.fromkeys(rich.sites, 2.0))[0].values()) == {4}


@pytest.mark.parametrize("method", ["minmax", "lsq"])
def test_it_runs_with_any_method(method: str) -> None:
    context = check_run("fracbits", method, candidates=[2, 3, 4, 5, 6], share=1.0, bits_learning_rate=0.4,
                        kappa=0.01)
    notes = context.notes["allocation"]
    assert notes["training"]["steps"] == 2
    assert len(set(context.allocation.values())) > 1, "the bits should have moved"


def test_bits_start_half_a_bit_above_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness_plugins.fracbits import search as module

    started: dict[str, float] = {}

    def trained(space: BitSpace, make: object, options: object, penalty: object, name: str) -> tuple[object, object]:
        made = {path: make(site, {b: q[path] for b, q in ((b, space.quantizers(b)) for b in space.candidates)})
                for path, site in space.sites.items()}  # type: ignore[operator]
        started.update({path: quantizer.mean_bits for path, quantizer in made.items()})
        return made, {}

    monkeypatch.setattr(module, "train_supernet", trained)
    context = allocated("fracbits", candidates=[3, 4, 5])
    assert set(started.values()) == {4.5}
    assert context.notes["allocation"]["real_bops"] > 1 >= context.notes["allocation"]["bops"]


def test_the_same_seed_gives_the_same_search() -> None:
    first, second = (allocated("fracbits", candidates=[2, 4, 6]) for _ in range(2))
    assert first.notes["allocation"] == second.notes["allocation"]


def test_the_defaults_are_the_papers() -> None:
    default = FracBitsOptions()
    assert (default.kappa, default.start, default.training.epochs) == (1.0, 0.5, 120)


class TestLsqWithFracBits(TrainingConformance):
    """A run whose bits are searched for is as repeatable and resumable as any."""

    method = "lsq"
    options = {"mixed": {"name": "fracbits", "candidates": [3, 4, 5], "share": 0.25}}  # noqa: RUF012
