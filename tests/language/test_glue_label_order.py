"""From the labels of other people's checkpoints to GLUE's order."""

from __future__ import annotations

from typing import Any

import pytest

from harness import DataError
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.label_order import label_order


def order(task: str, *names: str, source: str = "folder", **more: Any) -> tuple[tuple[int, ...], str]:
    found = label_order({"id2label": {str(place): name for place, name in enumerate(names)}, **more},
                        GLUE_TASKS[f"glue-{task}"], source)
    return found.places, found.notice


@pytest.mark.parametrize(("task", "names", "places"), [
    ("mnli", ("entailment", "neutral", "contradiction"), (0, 1, 2)),
    ("mnli", ("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), (2, 1, 0)),
    ("mnli", ("contradiction", "entailment", "neutral"), (1, 2, 0)),
    ("rte", ("not_entailment", "entailment"), (1, 0)),
    ("qnli", ("entailment", "not-entailment"), (0, 1)),
    ("mrpc", ("equivalent", "not_equivalent"), (1, 0)),
    ("mrpc", ("not paraphrase", "paraphrase"), (0, 1)),
    ("qqp", ("duplicate", "not_duplicate"), (1, 0)),
    ("sst2", ("NEGATIVE", "POSITIVE"), (0, 1)),
    ("sst2", ("pos", "neg"), (1, 0)),
    ("cola", ("acceptable", "unacceptable"), (1, 0)),
])
def test_names(task: str, names: tuple[str, ...], places: tuple[int, ...]) -> None:
    assert order(task, *names) == (places, "")


def test_label2id_alone() -> None:
    found = label_order({"label2id": {"positive": 0, "negative": 1}}, GLUE_TASKS["glue-sst2"], "folder")
    assert found.places == (1, 0)


def test_textattack() -> None:
    """MNLI's answers are contradiction, entailment, neutral; the other tasks have GLUE's order."""
    unnamed = ("LABEL_0", "LABEL_1", "LABEL_2")
    for known in ({"source": "models--textattack--bert-base-uncased-MNLI"}, {"finetuning_task": "glue:mnli"}):
        places, notice = order("mnli", *unnamed, **known)
        assert places == (1, 2, 0)
        assert notice == "TextAttack's checkpoint: its labels are contradiction, entailment, neutral."
    assert order("rte", "LABEL_0", "LABEL_1", source="TextAttack/x")[0] == (0, 1)


@pytest.mark.parametrize("names", [("LABEL_0", "LABEL_1"), ("0", "1"), ("label1", "label2"), ()])
def test_what_is_assumed_is_said(names: tuple[str, ...]) -> None:
    places, notice = order("rte", *names)
    assert places == (0, 1)
    assert "GLUE's order is ASSUMED (entailment, not_entailment)" in notice


def test_a_score_has_no_order() -> None:
    assert order("stsb", "LABEL_0") == ((0,), "")


@pytest.mark.parametrize(("task", "names", "message"), [
    ("rte", ("LABEL_0", "LABEL_1", "LABEL_2"), "answers with 3 numbers, RTE needs 2"),
    ("stsb", ("negative", "positive"), "answers with 2 numbers, STS-B needs 1"),
    ("mnli", (), "answers with 2 numbers, MNLI needs 3"),
    ("rte", ("negative", "positive"), "has the labels negative, positive, RTE has entailment, not_entailment"),
    ("rte", ("entailment", "entailed"), "has the labels entailment, entailed")])
def test_labels_of_another_task(task: str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        order(task, *names)
