"""Statistics, against slow and obvious references."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.results.samples import PerSample
from harness.results.statistics.differences import Difference, mcnemar_p, mean_sd, seed_variance
from harness.results.statistics.paired import paired

Values = Sequence[float] | np.ndarray


def over_seeds(first: Mapping[int, Values], second: Mapping[int, Values], scale: float = 1.0) -> Difference:
    """The paired difference of values of samples; seed -> values."""
    runs = [{seed: samples for seed, values in each.items() if (samples := PerSample.pack(values))}
            for each in (first, second)]
    found = paired(*runs, scale)
    assert found is not None
    return found


def difference(first: Values, second: Values, scale: float = 1.0) -> Difference:
    return over_seeds({0: first}, {0: second}, scale)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar_p(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("first", "second"), [(600, 500), (12_000, 12_400), (900, 20_000)])
def test_mcnemar_of_many_samples(first: int, second: int) -> None:
    assert mcnemar_p(first, second) == pytest.approx(binomtest(first, first + second).pvalue, rel=1e-9)


def test_a_difference_worked_by_hand() -> None:
    """Differences 1, 0, 0, -1, 1: mean 0.2, variance 0.7, standard error sqrt(0.7 / 5)."""
    found = difference([1, 1, 0, 0, 1], [0, 1, 0, 1, 0], scale=100)
    error = 100 * math.sqrt(0.7 / 5)
    assert found.value == pytest.approx(20)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == (pytest.approx(20 - 1.959964 * error), pytest.approx(20 + 1.959964 * error))
    assert (found.samples, found.seeds, found.is_tie) == (5, 1, True)
    assert found.p == binomtest(2, 3).pvalue


def test_pairing_is_over_samples() -> None:
    """The same figures, but right on the same or on other samples: only the pairing tells them apart."""
    base = np.repeat([1.0, 0.0], 50)
    same, other = base.copy(), np.repeat([0.0, 1.0], 50)
    assert difference(base, same).standard_error == 0
    assert difference(base, other).standard_error > 0.09


def test_the_interval_covers_95_percent() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        first, second = generator.random((2, 300)) < np.array([[0.8], [0.7]])
        found = difference(first.astype(float), second.astype(float))
        covered += found.low <= 0.1 <= found.high
    assert 0.93 < covered / 600 < 0.975


def test_no_difference_is_a_tie_and_a_certain_one_is_none() -> None:
    ones = np.ones(10)
    assert difference(ones, ones) == Difference(0.0, 0.0, 0.0, 0.0, 10, 1, 1.0)
    assert not difference(ones, 0 * ones).is_tie


def test_values_other_than_0_and_1_have_no_mcnemar() -> None:
    assert difference([0.5, 1.0], [0.0, 1.0]).p is None


def test_over_the_same_seeds_pairs_them() -> None:
    """Both move together from seed to seed: the difference is sure, though each one's mean is not."""
    first = {0: np.full(8, 0.5), 1: np.full(8, 0.9)}
    second = {0: np.full(8, 0.4), 1: np.full(8, 0.8)}
    found = over_seeds(first, second)
    assert found.value == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(0, abs=1e-7)
    assert found.seeds == 2


def test_over_other_seeds_adds_their_variances() -> None:
    first = {0: np.full(8, 0.5), 1: np.full(8, 0.9)}
    second = {0: np.full(8, 0.4), 2: np.full(8, 0.8), 3: np.full(8, 0.6)}
    found = over_seeds(first, second)
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
    assert over_seeds(first, second, 10).standard_error == pytest.approx(expected)
    assert over_seeds(first, second, 10).p is None


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.randoms(use_true_random=False))
def test_bits_are_paired_as_their_values_are(ones: int, others: int, n: int, random) -> None:
    """From counts of what two runs both get right follows what loops over the samples give."""
    first, second = ({seed: [float(random.random() < 0.7) for _ in range(n)] for seed in range(count)}
                     for count in (ones, others))
    found = over_seeds(first, second, 100)
    each = 100 * (np.mean(list(first.values()), axis=0) - np.mean(list(second.values()), axis=0))
    means = [{seed: 100 * float(np.mean(values)) for seed, values in runs.items()} for runs in (first, second)]
    spread = np.var(each, ddof=1) / n if n > 1 else 0.0
    assert found.value == pytest.approx(np.mean(each), abs=1e-9)
    assert found.standard_error == pytest.approx(math.sqrt(spread + seed_variance(*means)), abs=1e-6)
    if ones == others == 1:
        only = [sum(a > b for a, b in zip(first[0], second[0], strict=True)),
                sum(a < b for a, b in zip(first[0], second[0], strict=True))]
        assert found.p == pytest.approx(mcnemar_p(*only))
    else:
        assert found.p is None


def test_counts_of_many_runs_stay_exact() -> None:
    """Sums of products beyond the whole numbers that 32-bit floats have."""
    generator = np.random.default_rng(4)
    first, second = ((generator.random((100, 20_001)) < right).astype(float) for right in (0.95, 0.94))
    found = over_seeds(dict(enumerate(first)), dict(enumerate(second)))
    each = first.sum(0).astype(int) - second.sum(0).astype(int)
    n, total, squares = len(each), int(each.sum()), int((each**2).sum())
    variance = (n * squares - total**2) / (n * n * (n - 1) * 100**2)
    by_seed = np.var(first.mean(1) - second.mean(1), ddof=1) / 100
    assert found.value == total / (n * 100)
    assert found.standard_error == pytest.approx(math.sqrt(variance + by_seed), rel=1e-12)


def test_values_and_bits_pair() -> None:
    """One method's values happen to be all 0 or 1."""
    assert difference([0.5, 1.0, 0.0], [1.0, 1.0, 0.0]).value == pytest.approx(-0.5 / 3)


def test_other_numbers_of_samples_do_not_pair() -> None:
    four, three = PerSample.pack(np.ones(4)), PerSample.pack(np.ones(3))
    assert four is not None
    assert three is not None
    assert paired({0: four}, {0: three}) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_mean_sd(values: list[float]) -> None:
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-6)
    if len(values) == 1:
        assert sd is None
    else:
        assert sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)
