"""Comparing the methods of a section: any metric, ranks, the smallest gap, speed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import pytest

from harness import DataError
from harness.results.record import Record
from harness.results.samples import PerSample
from harness.results.statistics.paired import paired
from harness.results.statistics.resampling import estimate
from harness.results.tables.ranking import Comparison, difference, ranks, smallest_gap

Make = Callable[..., Record]
LABELS = np.random.default_rng(9).integers(0, 2, 300)


def answered(right: float, seed: int = 0) -> np.ndarray:
    """Answers of which about ``right`` are the label, alike from method to method."""
    return np.where(np.random.default_rng(seed).random(300) < right, LABELS, 1 - LABELS)


def judged(make_record: Make, method: str, answers: np.ndarray, statistic: str = "matthews", seed: int = 0) -> Record:
    """A record of a metric that is no mean, with F1 beside."""
    samples = PerSample.pack({"answer": answers, "label": LABELS}, statistic)
    assert samples is not None
    f1 = samples.read_as("f1")
    assert f1 is not None
    return make_record(method, seed=seed, per_sample=samples, main_metric=statistic, metrics_beside=("f1",),
                       metrics={statistic: 100 * estimate(samples), "f1": 100 * estimate(f1)})


def test_a_metric_that_is_no_mean(make_record: Make) -> None:
    """Ties within the noise, and none beyond it."""
    members = {name: [judged(make_record, name, answered(right))]
               for name, right in (("a", 0.95), ("b", 0.94), ("c", 0.7))}
    comparison = Comparison(members)
    assert comparison.ranks() == {"a": 1, "b": 1, "c": 3}
    found = comparison.difference("a", "c")
    assert found is not None
    assert found.value == pytest.approx(members["a"][0].value - members["c"][0].value)
    assert found.low > 0


def test_a_metric_beside(make_record: Make) -> None:
    """F1 from the same answers; for accuracy the pairs are those of right and wrong."""
    one, other = (judged(make_record, name, answered(right), "accuracy") for name, right in (("a", 0.9), ("b", 0.8)))
    found = difference([one], [other], "f1")
    assert found is not None
    assert found.value == pytest.approx(one.metrics["f1"] - other.metrics["f1"])
    assert found.p is None
    main = difference([one], [other])
    assert main is not None
    assert main.p is not None
    assert main.p < 0.01
    assert difference([one.model_copy(update={"metrics": {"accuracy": one.value, "x": 1.0}})], [other.model_copy(
        update={"metrics": {"accuracy": other.value, "x": 2.0}})], "x") is None


def test_figures_that_the_samples_do_not_give_are_not_paired(make_record: Make) -> None:
    one, other = (judged(make_record, name, answered(right)) for name, right in (("a", 0.9), ("b", 0.8)))
    wrong = one.model_copy(update={"metrics": {"matthews": one.value + 1}})
    assert difference([wrong], [other]) is None
    assert difference([one], [make_record("c", right=[1, 0] * 150, metrics={"matthews": 50.0},
                                          main_metric="matthews")]) is None, "a mean, and another metric"


def test_parts_of_one_and_percent_do_not_mix(make_record: Make) -> None:
    percent, part = make_record("a", right=[1, 1, 0, 1]), make_record("b", right=[1, 1, 0, 1], metrics={"top1": 0.75})
    assert difference([percent], [part]) is None


def test_a_seed_without_samples_leaves_nothing_to_pair(make_record: Make) -> None:
    whole = [make_record("a", seed=seed, right=[1, 1, 0, 1]) for seed in (0, 1)]
    lacking = [make_record("b", seed=0, right=[1, 0, 0, 1]), make_record("b", seed=1, per_sample=None)]
    assert difference(whole, lacking[:1]) is not None
    assert difference(whole, lacking) is None


def test_the_smallest_gap(make_record: Make) -> None:
    """By its formula, over neighbours in the order of the figures; those that agree everywhere say nothing."""
    answers = {name: answered(right, seed) == LABELS
               for name, right, seed in (("a", 0.9, 0), ("b", 0.7, 1), ("c", 0.8, 2), ("d", 0.5, 3))}
    answers["same"] = answers["b"]
    members = {name: [make_record(name, right=right.astype(float))] for name, right in answers.items()}
    errors = []
    for upper, lower in (("a", "c"), ("c", "b"), ("b", "d")):
        each = 100 * (answers[upper].astype(float) - answers[lower])
        errors.append(np.std(each, ddof=1) / math.sqrt(300))
    assert smallest_gap(members) == pytest.approx(1.959964 * median(errors), rel=1e-6)
    assert smallest_gap({name: members[name] for name in ("b", "same")}) is None
    assert smallest_gap({"a": members["a"]}) is None
    assert smallest_gap({}) is None
    assert smallest_gap({name: [make_record(name, per_sample=None)] for name in "ab"}) is None


@pytest.mark.parametrize(("wrong", "tie"), [(55, True), (65, False)])
def test_gaps_around_the_smallest(make_record: Make, wrong: int, tie: bool) -> None:
    """Two methods that are a little closer than the gap tie, a little farther apart they do not."""
    right = np.ones((2, 1000))
    right[0, :40] = right[1, 500:500 + wrong] = 0
    members = {name: [make_record(name, right=values.tolist())] for name, values in zip("ab", right, strict=True)}
    gap = smallest_gap(members)
    assert gap is not None
    assert ((wrong - 40) / 10 < gap) == tie
    assert (ranks(members)["b"] == 1) == tie


def test_ties_are_with_the_leader_of_the_rank(make_record: Make) -> None:
    """All pairs of a rank with its leader, against a loop over all."""
    random = np.random.default_rng(3)
    base = random.random(500)
    members = {i: [make_record(f"m{i}", right=(base + random.normal(0, 0.1, 500) < random.uniform(0.5, 0.9)).astype(
        float))] for i in range(40)}
    found = ranks(members)
    order = sorted(members, key=lambda name: -members[name][0].value)
    leader = order[0]
    for position, name in enumerate(order, 1):
        samples = [members[each][0].per_sample for each in (leader, name)]
        against = paired({0: samples[0]}, {0: samples[1]})  # type: ignore[dict-item]
        assert against is not None
        if not against.is_tie:
            leader = name
        assert found[name] == (position if leader == name else found[leader])
    assert 3 < len(set(found.values())) < 40


def test_runs_that_do_not_compare_are_refused(make_record: Make) -> None:
    with pytest.raises(DataError, match="do not compare"):
        Comparison({"a": [make_record("a")], "b": [make_record("b", model="other")]})


def random_rows(make_record: Make, count: int, samples: int) -> dict[int, Sequence[Record]]:
    random = np.random.default_rng(0)
    base = random.random(samples)
    return {i: [make_record(f"m{i}", right=(base + random.normal(0, 0.15, samples) < random.uniform(0.3, 0.9)).astype(
        float))] for i in range(count)}


def test_thousands_of_rows_are_ranked_fast(make_record: Make) -> None:
    """The processor's time: 0.3 seconds here, fifty times that when values are unpacked for each pair."""
    members = random_rows(make_record, 3000, 4000)
    ranks({0: members[0], 1: members[1]})  # imports
    start = time.process_time()
    comparison = Comparison(members)
    comparison.ranks()
    comparison.smallest_gap()
    assert time.process_time() - start < 2
