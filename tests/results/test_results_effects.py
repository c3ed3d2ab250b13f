"""How far two methods are apart: against slow references, and where nothing is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_records import make_record, make_reference
from scipy import stats

from harness.errors import DataError
from harness.results.claims.effects import effect, quantity_of
from harness.results.record import Costs, Environment, Record
from harness.results.tables.ranking import difference


def noted(value: float, seed: int, method: str = "a", **fields: object) -> Record:
    return make_record(method, seed=seed, notes={"sdam": {"trained": value}, "list": [{"x": 7}]}, **fields)  # type: ignore[arg-type]


def rights(count: int, of: int = 200, start: int = 0) -> list[int]:
    return [int(start <= number < start + count) for number in range(of)]


def test_the_number_at_a_path() -> None:
    record = noted(0.5, 0)
    assert quantity_of(record, "") == record.value
    assert quantity_of(record, "metrics.top1") == record.value
    assert quantity_of(record, "notes.sdam.trained") == 0.5
    assert quantity_of(record, "notes.list.0.x") == 7
    assert quantity_of(record, "costs.bops.plain") == 8e8
    assert quantity_of(record, "costs.parameters") == 10
    for path in ("notes.sdam", "notes.sdam.other", "notes.list.1.x", "notes.list.0.x.y", "costs.bops.other",
                 "timings.train", "peak_memory", "metrics.box_ap", "notes.list.x"):
        assert quantity_of(record, path) is None, path


def test_the_main_metric_is_compared_over_samples_and_seeds() -> None:
    one = [make_record("a", seed=seed, right=rights(150 + seed)) for seed in (0, 1)]
    other = [make_record("b", seed=seed, right=rights(120, start=5 * seed)) for seed in (0, 1)]
    found = effect(one, other)
    assert found is not None
    assert found.difference == difference(one, other)
    assert (found.first, found.second, found.seeds, found.basis) == (75.25, 60.0, 2, "samples and seeds")


def test_only_seeds_in_common_are_compared() -> None:
    one = [make_record("a", seed=seed, right=rights(150 + 30 * seed)) for seed in (0, 1)]
    other = [make_record("b", seed=seed, right=rights(100)) for seed in (1, 2)]
    found = effect(one, other)
    assert found is not None
    assert (found.first, found.second, found.seeds) == (90.0, 50.0, 1)


def test_one_seed_in_common_takes_the_spread_of_further_seeds() -> None:
    one = [make_record("a", seed=seed, right=rights(150 + 4 * seed)) for seed in (0, 1, 2)]
    other = [make_record("b", right=rights(120, start=20))]
    alone, found = effect(one[:1], other), effect(one, other)
    assert alone is not None
    assert found is not None
    assert (alone.basis, found.basis) == ("samples", "samples and seeds")
    assert alone.difference is not None
    assert found.difference is not None
    assert found.difference.value == alone.difference.value == 15.0
    spread = stats.t.ppf(0.975, 2) * math.sqrt(2) * np.std([75, 77, 79], ddof=1)
    samples = (alone.difference.high - alone.difference.low) / 2
    assert found.difference.high - 15 == pytest.approx(math.hypot(samples, spread))
    assert 15 - found.difference.low == pytest.approx(math.hypot(samples, spread))


def test_full_precision_goes_with_every_seed() -> None:
    one = [make_record("a", seed=seed, right=rights(150 + 4 * seed)) for seed in (0, 1, 2)]
    found = effect(one, [make_reference(rights(190))])
    assert found is not None
    assert (found.value, found.seeds, found.basis) == (77.0 - 95.0, 3, "samples and seeds")


def test_statistics_are_as_sure_as_their_seeds_agree() -> None:
    first, second = [0.30, 0.36, 0.33], [0.50, 0.55, 0.56]
    found = effect([noted(value, seed) for seed, value in enumerate(first)],
                   [noted(value, seed, "b") for seed, value in enumerate(second)], "notes.sdam.trained")
    assert found is not None
    assert found.difference is not None
    expected = stats.ttest_rel(first, second).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))
    assert found.basis == "seeds"


def test_statistics_of_other_seeds_are_not_paired() -> None:
    first, second = [0.30, 0.36, 0.33], [0.50, 0.58]
    found = effect([noted(value, seed) for seed, value in enumerate(first)],
                   [noted(value, seed + 5, "b") for seed, value in enumerate(second)], "notes.sdam.trained")
    assert found is not None
    assert found.difference is not None
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))


def test_one_seed_of_a_statistic_decides_nothing() -> None:
    found = effect([noted(0.3, 0)], [noted(0.5, 0, "b")], "notes.sdam.trained")
    assert found is not None
    assert (found.value, found.difference, found.basis) == (pytest.approx(-0.2), None, "unknown")
    assert found.reason == "one seed, and nothing to pair"


def test_a_ratio_is_of_geometric_means() -> None:
    first, second = [10.0, 12.0, 11.0], [20.0, 21.0, 25.0]
    found = effect([make_record("a", seed=seed, timings={"train": value}) for seed, value in enumerate(first)],
                   [make_record("b", seed=seed, timings={"train": value}) for seed, value in enumerate(second)],
                   "timings.train", ratio=True)
    assert found is not None
    assert found.difference is not None
    expected = stats.ttest_rel(np.log(first), np.log(second)).confidence_interval()
    assert found.value == pytest.approx(stats.gmean(first) / stats.gmean(second))
    assert (found.difference.low, found.difference.high) == pytest.approx(np.exp([expected.low, expected.high]))


def test_costs_are_exact_unless_seeds_differ() -> None:
    def cost(bops: float, seed: int = 0, method: str = "a") -> Record:
        return make_record(method, seed=seed, costs=Costs(macs=1, bops={"plain": bops}, parameters=1))

    found = effect([cost(6)], [cost(8, method="b")], "costs.bops.plain", ratio=True)
    assert found is not None
    assert found.difference is not None
    assert found.basis == "exact"
    assert (found.difference.low, found.difference.high) == pytest.approx((0.75, 0.75))
    spread = effect([cost(6), cost(7, 1)], [cost(8, method="b"), cost(8, 1, "b")], "costs.bops.plain")
    assert spread is not None
    assert spread.difference is not None
    assert spread.basis == "seeds"
    assert spread.difference.low < -1.5 < spread.difference.high


def test_times_of_different_machines_do_not_compare() -> None:
    def timed(method: str, seed: int, cpu: str) -> Record:
        return make_record(method, seed=seed, timings={"train": 3.0 + seed},
                           environment=Environment(harness="1", python="3", cpu=cpu))

    one = [timed("a", seed, "x") for seed in (0, 1)]
    found = effect(one, [timed("b", seed, "y") for seed in (0, 1)], "timings.train")
    assert found is not None
    assert (found.difference, found.reason) == (None, "measured on different machines")
    same = effect(one, [timed("b", seed, "x") for seed in (0, 1)], "timings.train")
    assert same is not None
    assert same.difference is not None


def test_what_a_record_lacks() -> None:
    assert effect([noted(1, 0)], [make_record("b")], "notes.sdam.trained") is None
    assert effect([noted(-1, 0)], [noted(1, 0, "b")], "notes.sdam.trained", ratio=True) is None


def test_records_that_do_not_compare() -> None:
    with pytest.raises(DataError, match="do not compare"):
        effect([make_record("a")], [make_record("b", model="swin_mini")])
