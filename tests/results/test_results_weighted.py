"""Metrics of weighted samples, against scikit-learn and scipy on samples that are repeated as often."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.results.statistics.weighted import WEIGHTED
from harness.results.statistics.weighted.average_precision import _RECALLS, _reached

Metric = Callable[[np.ndarray, np.ndarray], float]


def correlation(measure: Callable) -> Metric:
    return lambda answer, label: (
        measure(answer, label).statistic if np.ptp(answer) > 0 and np.ptp(label) > 0 else 0.0)


REFERENCES: dict[str, Metric] = {
    "accuracy": lambda answer, label: accuracy_score(label, answer),
    "f1": lambda answer, label: f1_score(label, answer, zero_division=0.0),
    "matthews": lambda answer, label: matthews_corrcoef(label, answer),
    "pearson": correlation(pearsonr),
    "spearman": correlation(spearmanr),
}


def columns(name: str, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    if name in ("pearson", "spearman"):  # with ties
        label = random.integers(0, 6, n) / 2
        return {"answer": np.round(label + random.normal(0, 1, n), 1), "label": label}
    label = random.integers(0, 2, n)
    return {"answer": np.where(random.random(n) < 0.7, label, 1 - label), "label": label}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("n", [1, 2, 5, 60])
def test_a_weight_is_so_many_copies(name: str, n: int) -> None:
    random = np.random.default_rng(n)
    given = columns(name, random, n)
    weights = random.multinomial(n, np.full(n, 1 / n), size=40).T
    found = WEIGHTED[name](given, weights)
    assert found.shape == (40,)
    for weight, value in zip(weights.T, found, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of a single class
            expected = REFERENCES[name](*(np.repeat(given[column], weight) for column in ("answer", "label")))
        assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_answers_that_are_all_the_same_correlate_with_nothing(name: str) -> None:
    """The mean of equal values is rounded, so that two such columns may seem to vary together."""
    for value in np.arange(1, 30) / 30:
        answer = np.full(7, value)
        for label in (np.arange(7.0), answer):
            assert WEIGHTED[name]({"answer": answer, "label": label}, np.ones((7, 1), int)).tolist() == [0.0]


def test_the_mean() -> None:
    found = WEIGHTED["mean"]({"value": np.array([1.0, 0, 0.5])}, np.array([[1, 3], [1, 0], [1, 0]]))
    assert found.tolist() == [0.5, 1.0]


def test_those_that_are_means_give_their_values() -> None:
    random = np.random.default_rng(0)
    for name, metric in WEIGHTED.items():
        given = {"value": random.random(5)} if name == "mean" else columns(name, random, 5)
        if name == "average_precision":
            assert metric.values_of({}) is None
        elif (values := metric.values_of(given)) is not None:
            assert values.mean() == pytest.approx(metric(given, np.ones((5, 1), int))[0])
    assert {name for name, metric in WEIGHTED.items() if metric.values} == {"mean", "accuracy"}


def test_recalls_that_are_reached() -> None:
    """COCO's 101 recalls are floats: 0.57 is a little more than 57 of 100."""
    for objects in (*range(1, 40), 57, 100, 300, 1000):
        recall = np.arange(objects + 1) / objects
        assert _reached(recall).tolist() == np.searchsorted(_RECALLS, recall, side="right").tolist()
