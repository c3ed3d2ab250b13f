"""GLUE's metrics against loops over samples."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import DataError, QuantizationError, Scores
from harness.results.samples import PerSample
from harness.results.statistics.resampling import estimate
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.samples import SentenceBatch
from harness_tasks.language.scorer import GlueScorer


def scored(task: str, outputs: list[list[float]], labels: list[float], positions: list[int] | None = None,
           parts: list[int] | None = None, size: int = 3) -> Scores:
    """The scores of ``outputs`` given in batches of ``size``."""
    scorer = GlueScorer(GLUE_TASKS[f"glue-{task}"])
    places, parts = positions or list(range(len(labels))), parts or [0] * len(labels)
    for start in range(0, len(labels), size):
        chosen = slice(start, start + size)
        scorer.update(torch.tensor(outputs[chosen]), SentenceBatch(
            {}, torch.tensor(labels[chosen]), torch.tensor(places[chosen]), torch.tensor(parts[chosen])))
    return scorer.result()


def confusion(answers: list[int], labels: list[int]) -> tuple[int, int, int, int]:
    pairs = list(zip(answers, labels, strict=True))
    return pairs.count((1, 1)), pairs.count((0, 0)), pairs.count((1, 0)), pairs.count((0, 1))


def scored_again(scores: Scores) -> dict[str, float]:
    """The metrics from what a record keeps of the samples."""
    samples = PerSample.pack(scores.per_sample, scores.statistic)
    assert samples is not None
    again = {name: samples.read_as(name) for name in scores.metrics}
    return {name: 100 * estimate(each) for name, each in again.items() if each is not None}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_two_classes(pairs: list[tuple[bool, bool]]) -> None:
    answers, labels = [int(a) for a, _ in pairs], [int(b) for _, b in pairs]
    logits = [[0.0, 1.0] if answer else [1.0, 0.0] for answer in answers]
    right, nothing, wrong, missed = confusion(answers, labels)
    kept = {"answer": tuple(answers), "label": tuple(labels)}
    accuracy = 100 * (right + nothing) / len(pairs)
    for task in ("mrpc", "qqp"):
        scores = scored(task, logits, labels)
        assert list(scores.metrics) == ["accuracy", "f1"]
        assert scores.beside == ("f1",)
        assert scores.metrics["accuracy"] == pytest.approx(accuracy)
        assert scores.metrics["f1"] == pytest.approx(100 * 2 * right / max(1, 2 * right + wrong + missed))
        assert (scores.per_sample, scores.statistic) == (kept, "accuracy")
        assert scored_again(scores) == pytest.approx(dict(scores.metrics))
    below = math.sqrt((right + wrong) * (right + missed) * (nothing + wrong) * (nothing + missed))
    matthews = scored("cola", logits, labels)
    assert matthews.metrics == pytest.approx(
        {"matthews": 100 * (right * nothing - wrong * missed) / below if below else 0.0})
    assert (matthews.per_sample, matthews.statistic) == (kept, "matthews")
    assert scored_again(matthews) == pytest.approx(dict(matthews.metrics))


def test_correlations() -> None:
    answers, labels = [0.1, 2.5, 2.0, 4.0, 3.0], [0.0, 1.0, 2.0, 3.0, 5.0]
    scores = scored("stsb", [[answer] for answer in answers], labels)
    assert list(scores.metrics) == ["spearman", "pearson"]
    ranks = [0, 2, 1, 4, 3]
    assert scores.metrics["spearman"] == pytest.approx(100 * (1 - 6 * sum((a - b) ** 2 for a, b in zip(
        ranks, range(5), strict=True)) / (5 * 24)))
    mean, middle = sum(answers) / 5, sum(labels) / 5
    product = sum((a - mean) * (b - middle) for a, b in zip(answers, labels, strict=True))
    spread = math.sqrt(sum((a - mean) ** 2 for a in answers) * sum((b - middle) ** 2 for b in labels))
    assert scores.metrics["pearson"] == pytest.approx(100 * product / spread)
    assert scores.per_sample == {"answer": pytest.approx(answers), "label": tuple(labels)}
    assert scores.statistic == "spearman"
    assert scored_again(scores) == pytest.approx(dict(scores.metrics), abs=1e-4)


def test_answers_that_are_all_the_same_correlate_with_nothing() -> None:
    assert scored("stsb", [[2.0]] * 4, [0.0, 1.0, 2.0, 3.0]).metrics == {"spearman": 0.0, "pearson": 0.0}
    assert scored("stsb", [[2.0]], [1.0]).metrics == {"spearman": 0.0, "pearson": 0.0}
    assert scored("cola", [[1.0, 0.0]] * 4, [0, 1, 1, 1]).metrics == {"matthews": 0.0}


def test_order_is_restored() -> None:
    """Batches come sorted by length; per-sample values are in the order of the split."""
    logits = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    scores = scored("rte", logits, [0, 1, 1, 0], positions=[3, 1, 0, 2], size=2)
    assert scores.per_sample == (1.0, 0.0, 0.0, 1.0)
    assert scores.metrics == {"accuracy": 50.0}


def test_matched_and_mismatched() -> None:
    logits = [[1.0, 0.0, 0.0]] * 5
    scores = scored("mnli", logits, [0, 1, 0, 0, 2], parts=[0, 0, 1, 1, 1])
    assert scores.metrics == pytest.approx({"accuracy": 50.0, "accuracy_mm": 200 / 3})
    assert scores.beside == ("accuracy_mm",)
    assert scores.per_sample == (1.0, 0.0), "their mean is the main metric"
    alone = scored("mnli", logits[:2], [0, 1])
    assert alone.metrics == {"accuracy": 50.0}
    assert alone.beside == ()


def test_equal_logits_are_the_first_label() -> None:
    assert scored("rte", [[0.0, 0.0], [1.0, 1.0]], [0, 1]).per_sample == (1.0, 0.0)


def test_nothing_and_nan() -> None:
    with pytest.raises(DataError, match="no sample was evaluated"):
        GlueScorer(GLUE_TASKS["glue-rte"]).result()
    with pytest.raises(QuantizationError, match="outputs are NaN"):
        scored("rte", [[0.0, float("nan")]], [0])
