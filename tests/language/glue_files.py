"""Tiny GLUE data sets in the original layout, and rows to write in others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness_tasks.language.glue_tasks import GlueTask

WORDS = ("the", "film", "is", "good", "bad", "a", "man", "plays", "guitar", "no", "one", "sleeps", "\"", "##s", "dog")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)

#: Config -> header of its file; ``{0}``, ``{1}`` and ``{label}`` say what a line has there.
HEADERS = {
    "mnli": "index promptID pairID genre sentence1 sentence2 gold_label",
    "qqp": "id qid1 qid2 question1 question2 is_duplicate",
    "qnli": "index question sentence label",
    "sst2": "sentence label",
    "stsb": "index genre filename year old_index source1 source2 sentence1 sentence2 score",
    "rte": "index sentence1 sentence2 label",
}
LINES = {
    "mnli": "{n} p q fiction {0} {1} {label}", "qqp": "{n} 1 2 {0} {1} {label}", "qnli": "{n} {0} {1} {label}",
    "sst2": "{0} {label}", "stsb": "{n} g f 2012 {n} none none {0} {1} {label}", "rte": "{n} {0} {1} {label}",
    "cola": "gj04 {label} * {0}", "mrpc": "{label} {n} 9{n} {0} {1}",
}
NAMED = ("mnli", "qnli", "rte")  # Their files give labels by name.


def rows(task: GlueTask, count: int, first: int = 0) -> list[dict[str, Any]]:
    """Rows in the form of the Hugging Face data set; lengths and labels vary, no two are alike."""
    found = []
    for n in range(first, first + count):
        texts = [" ".join(WORDS[(n * (3 + side) + place) % 12] for place in range(2 + (n + side) % 7))
                 for side, _ in enumerate(task.columns)]
        label = round(n * 0.7 % 5, 1) if task.regression else n % len(task.labels)
        found.append({**dict(zip(task.columns, texts, strict=True)), "label": label, "idx": n})
    return found


def tsv(task: GlueTask, content: list[dict[str, Any]]) -> str:
    """The content of a file in GLUE's original layout."""
    header = {"cola": "", "mrpc": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"}.get(
        task.config, HEADERS.get(task.config, "").replace(" ", "\t") + "\n")
    form = LINES[task.config].replace(" ", "\t")
    return header + "".join(form.format(*(row[column] for column in task.columns), n=row["idx"],
                                        label=_label(task, row["label"])) + "\n" for row in content)


def write_tsv(root: Path, task: GlueTask, train: int = 8, validation: int = 6, vocabulary: bool = True) -> Path:
    """``root/TITLE/train.tsv`` and the validation files; returns ``root``."""
    folder = root / task.title
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.tsv").write_text(tsv(task, rows(task, train)), encoding="utf-8")
    for part, name in enumerate(task.validation_splits):
        content = rows(task, validation, 100 * (part + 1))
        (folder / f"{name.replace('validation', 'dev')}.tsv").write_text(tsv(task, content), encoding="utf-8")
    if vocabulary:
        (root / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return root


def _label(task: GlueTask, label: float) -> str:
    if task.regression:
        return f"{label:.3f}"
    return task.labels[int(label)] if task.config in NAMED else str(label)
