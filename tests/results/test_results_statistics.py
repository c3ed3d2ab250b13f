"""Statistics, against slow and obvious references."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results.statistics import Difference, mcnemar_p, mean_sd, paired_difference, paired_over_seeds


def exact_p(first_only: int, second_only: int) -> float:
    """McNemar's exact p as the sum over all outcomes that are at most as likely, in whole numbers."""
    n = first_only + second_only
    likely = math.comb(n, first_only)
    return float(sum(Fraction(math.comb(n, k), 2**n) for k in range(n + 1) if math.comb(n, k) <= likely))


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_sum_over_unlikelier_outcomes(first: int, second: int) -> None:
    assert mcnemar_p(first, second) == pytest.approx(exact_p(first, second), rel=1e-9)


def test_mcnemar_of_many_samples() -> None:
    from scipy.stats import binomtest

    for first, second in [(0, 0), (5, 0), (600, 500), (12_000, 12_400)]:
        expected = binomtest(first, first + second).pvalue if first + second else 1.0
        assert mcnemar_p(first, second) == pytest.approx(expected, rel=1e-6)


def test_a_difference_worked_by_hand() -> None:
    """Differences 1, 0, 0, -1, 1: mean 0.2, variance 0.7, standard error sqrt(0.7 / 5)."""
    found = paired_difference(np.array([1.0, 1, 0, 0, 1]), np.array([0.0, 1, 0, 1, 0]), scale=100)
    error = 100 * math.sqrt(0.7 / 5)
    assert found.value == pytest.approx(20)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == (pytest.approx(20 - 1.959964 * error), pytest.approx(20 + 1.959964 * error))
    assert (found.samples, found.seeds, found.is_tie) == (5, 1, True)
    assert found.p == pytest.approx(exact_p(2, 1))


def test_pairing_is_over_samples() -> None:
    """The same figures, but right on the same or on other samples: only the pairing tells them apart."""
    base = np.repeat([1.0, 0.0], 50)
    same, other = base.copy(), np.repeat([0.0, 1.0], 50)
    assert paired_difference(base, same).standard_error == 0
    assert paired_difference(base, other).standard_error > 0.09


def test_the_interval_covers_95_percent() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        first, second = generator.random((2, 300)) < np.array([[0.8], [0.7]])
        found = paired_difference(first.astype(float), second.astype(float))
        covered += found.low <= 0.1 <= found.high
    assert 0.93 < covered / 600 < 0.975


def test_no_difference_is_a_tie_and_a_certain_one_is_none() -> None:
    ones = np.ones(10)
    assert paired_difference(ones, ones) == Difference(0.0, 0.0, 0.0, 0.0, 10, 1, 1.0)
    assert not paired_difference(ones, 0 * ones).is_tie


def test_values_other_than_0_and_1_have_no_mcnemar() -> None:
    assert paired_difference(np.array([0.5, 1.0]), np.array([0.0, 1.0])).p is None


def test_over_the_same_seeds_pairs_them() -> None:
    """Both move together from seed to seed: the difference is sure, though each one's mean is not."""
    first = {0: np.full(8, 0.5), 1: np.full(8, 0.9)}
    second = {0: np.full(8, 0.4), 1: np.full(8, 0.8)}
    found = paired_over_seeds(first, second)
    assert found.value == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(0, abs=1e-9)
    assert found.seeds == 2


def test_over_other_seeds_adds_their_variances() -> None:
    first = {0: np.full(8, 0.5), 1: np.full(8, 0.9)}
    second = {0: np.full(8, 0.4), 2: np.full(8, 0.8), 3: np.full(8, 0.6)}
    found = paired_over_seeds(first, second)
    expected = np.var([0.5, 0.9], ddof=1) / 2 + np.var([0.4, 0.8, 0.6], ddof=1) / 3
    assert found.value == pytest.approx(0.7 - 0.6)
    assert found.standard_error == pytest.approx(math.sqrt(expected))


def test_both_parts_of_the_variance() -> None:
    generator = np.random.default_rng(1)
    first = {seed: generator.random(50) for seed in range(3)}
    second = {seed: generator.random(50) for seed in range(3)}
    by_sample = np.mean([first[seed] - second[seed] for seed in range(3)], axis=0)
    by_seed = [float(np.mean(first[seed] - second[seed])) for seed in range(3)]
    expected = math.sqrt(100 * (np.var(by_sample, ddof=1) / 50 + np.var(by_seed, ddof=1) / 3))
    assert paired_over_seeds(first, second, 10).standard_error == pytest.approx(expected)
    assert paired_over_seeds(first, second, 10).p is None


@pytest.mark.parametrize("other", [np.ones(3), np.ones(0)])
def test_what_cannot_be_paired(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot pair"):
        paired_difference(np.ones(len(other) and 4), other)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_mean_sd(values: list[float]) -> None:
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-6)
    if len(values) == 1:
        assert sd is None
    else:
        assert sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)
