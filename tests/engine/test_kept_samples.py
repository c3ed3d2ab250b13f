"""What a record keeps of the samples: checked against the figure before it is written."""

from __future__ import annotations

import pytest

from harness import PluginError, Scores
from harness.engine.runner import kept_samples


def test_the_metric_is_what_its_samples_give() -> None:
    assert kept_samples(Scores({"top1": 75.0}, (1.0, 1.0, 0.0, 1.0))) is not None
    assert kept_samples(Scores({"loss": 2.5}, (2.0, 3.0))) is not None
    assert kept_samples(Scores({"perplexity": 12.0})) is None
    kept = kept_samples(Scores({"f1": 80.0}, {"answer": [1, 1, 1], "label": [1, 1, 0]}, statistic="f1"))
    assert kept is not None
    assert kept.statistic == "f1"


@pytest.mark.parametrize("scores", [
    Scores({"f1": 80.0}, (1.0, 1.0, 0.0, 1.0)),
    Scores({"f1": 79.0}, {"answer": [1, 1, 1], "label": [1, 1, 0]}, statistic="f1"),
    Scores({"accuracy": 80.0, "f1": 80.0}, {"answer": [1, 1, 1], "label": [1, 1, 0]}, statistic="accuracy")])
def test_a_figure_of_something_else_is_refused(scores: Scores) -> None:
    with pytest.raises(PluginError, match="of its samples is"):
        kept_samples(scores)
