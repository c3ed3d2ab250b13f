"""The bootstrap, against scipy's with the same draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, spearmanr
from sklearn.metrics import matthews_corrcoef

from harness.results.samples import PerSample
from harness.results.statistics import resampling
from harness.results.statistics.differences import Z95
from harness.results.statistics.paired import paired
from harness.results.statistics.resampling import RESAMPLES, SEED, estimate, replicates, weights


def answers(n: int = 120, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    label = np.random.default_rng(100).normal(size=n)
    return (label + noise * np.random.default_rng(seed).normal(size=n)).astype(np.float32), label.astype(np.float32)


def kept(answer: np.ndarray, label: np.ndarray, statistic: str = "spearman") -> PerSample:
    samples = PerSample.pack({"answer": answer, "label": label}, statistic)
    assert samples is not None
    return samples


@pytest.mark.parametrize("n", [1, 7, 500, 9000])
def test_weights_are_the_same_draws_in_any_parts(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.concatenate(list(weights(n, 300)), axis=1)
    assert found.shape == (n, 300)
    assert (found.sum(0) == n).all()
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(0, n, (300, n))
    assert (found[:, 299] == np.bincount(drawn[299], minlength=n)).all()
    monkeypatch.setattr(resampling, "_DRAWS", 1)
    assert (np.concatenate(list(weights(n, 300)), axis=1) == found).all()


def test_the_interval_is_scipys() -> None:
    """The same resamples for both methods; scipy draws positions with the same generator."""
    (one, label), (other, _) = answers(seed=1, noise=0.5), answers(seed=2, noise=0.8)
    found = paired(dict([(0, kept(one, label))]), {0: kept(other, label)}, 100)
    assert found is not None

    def measure(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> float:
        return 100 * (spearmanr(first, truth).statistic - spearmanr(second, truth).statistic)

    theirs = bootstrap((one, other, label), measure, paired=True, vectorized=False, n_resamples=RESAMPLES,
                       method="percentile", random_state=np.random.Generator(np.random.PCG64(SEED)))
    assert found.value == pytest.approx(measure(one, other, label))
    assert found.standard_error == pytest.approx(theirs.standard_error, abs=1e-8)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-8)
    assert (found.samples, found.seeds, found.p) == (120, 1, None)


def test_estimate_is_the_metric() -> None:
    answer, label = answers()
    assert estimate(kept(answer, label)) == pytest.approx(spearmanr(answer, label).statistic)
    yes, truth = (answer > 0).astype(int), (label > 0).astype(int)
    assert estimate(kept(yes, truth, "matthews")) == pytest.approx(matthews_corrcoef(truth, yes))
    assert estimate(kept(yes, truth, "accuracy")) == (yes == truth).mean()


def test_each_record_is_resampled_once() -> None:
    """Also where its samples are read anew from the disk."""
    samples = [kept(*answers(seed=5)) for _ in range(2)]
    assert replicates(samples[0]) is replicates(samples[1])
    with pytest.raises(ValueError, match="read-only"):
        replicates(samples[0])[0] = 1


def test_a_method_and_itself() -> None:
    samples = kept(*answers())
    found = paired({0: samples}, {0: samples})
    assert found is not None
    assert (found.value, found.standard_error, found.low, found.high) == (0, 0, 0, 0)
    assert found.is_tie


def test_seeds_widen_the_interval() -> None:
    """The variance is that of the samples, resampled together for all runs, and that of the seeds."""
    label = answers()[1]
    first = {seed: answers(seed=seed, noise=0.3 + 0.3 * seed)[0] for seed in (0, 1)}
    second = {seed: answers(seed=seed + 7, noise=1.0)[0] for seed in (0, 1)}
    runs = [{seed: kept(answer, label) for seed, answer in each.items()} for each in (first, second)]
    found = paired(*runs)
    assert found is not None
    drawn = [np.mean([replicates(samples) for samples in each.values()], axis=0) for each in runs]
    by_seed = [spearmanr(first[seed], label).statistic - spearmanr(second[seed], label).statistic for seed in (0, 1)]
    expected = np.sqrt(np.var(drawn[0] - drawn[1], ddof=1) + np.var(by_seed, ddof=1) / 2)
    assert found.value == pytest.approx(np.mean(by_seed))
    assert found.standard_error == pytest.approx(expected, rel=0.05)
    assert found.seeds == 2
    assert found.high - found.low == pytest.approx(2 * Z95 * expected, rel=0.1)


def test_the_interval_covers_95_percent() -> None:
    """Matthews' correlation of two methods that answer right 85 and 75 of 100 times."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        label = random.integers(0, 2, 150)
        made = [np.where(random.random(150) < part, label, 1 - label) for part in (0.85, 0.75)]
        found = paired(*({0: kept(answer, label, "matthews")} for answer in made))
        assert found is not None
        covered += found.low <= 0.2 <= found.high
    assert 0.91 < covered / 300 < 0.98


def test_other_metrics_and_other_counts_are_not_paired() -> None:
    answer, label = answers()
    assert paired({0: kept(answer, label)}, {0: kept(answer, label, "pearson")}) is None
    assert paired({0: kept(answer, label)}, {0: kept(answer[:5], label[:5])}) is None
    assert paired({}, {}) is None
