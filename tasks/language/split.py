"""One split of a GLUE task: sentences and labels, wherever they were read from. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness import DataError, digest

from .glue_tasks import GlueTask

NO_LABEL = "GLUE's test splits have none: give the validation split (dev.tsv, validation.tsv or validation*.parquet)"


@dataclass(frozen=True)
class GlueSplit:
    """A fixed, ordered list of labelled sentences or pairs.

    Attributes:
        name: ``train``, ``validation``, or MNLI's ``validation_matched`` and ``validation_mismatched``.
        rows: one mapping for each: sentence column of the Hugging Face data set -> text.
        labels: index among the task's labels, or the score.
        skipped: damaged lines of the file that were left out.
    """

    name: str
    rows: Sequence[Mapping[str, str]]
    labels: Sequence[float]
    skipped: int = 0

    @property
    def ids(self) -> list[str]:
        """Names, the same on every machine that has these data."""
        return [f"{self.name}/{place}" for place in range(len(self.rows))]

    @property
    def fingerprint(self) -> str:
        """Hash of name, order, texts and labels, the same for every layout."""
        return digest([f"name {self.name}", f"content {self.content}"])

    @cached_property
    def content(self) -> str:
        """Hash of order, texts and labels."""
        return digest(f"{place}|{label}|{list(row.values())}"
                      for place, (row, label) in enumerate(zip(self.rows, self.labels, strict=True)))


def made_split(name: str, task: GlueTask, rows: Iterable[Mapping[str, Any]], source: str,
               skipped: int = 0) -> GlueSplit:
    """A split of rows with the columns of the Hugging Face data set, ``label`` among them.

    Raises :class:`harness.DataError` that names ``source`` and the row for a label that is missing or wrong, and
    where there are no rows at all.
    """
    texts, labels = [], []
    for place, row in enumerate(rows):
        texts.append({column: str(row[column] or "") for column in task.columns})
        labels.append(_label(row.get("label"), task, f"{source}, row {place}"))
    if not texts:
        raise DataError(f"{source} holds no sentences", "Get the file again")
    return GlueSplit(name, texts, labels, skipped)


def _label(given: Any, task: GlueTask, place: str) -> float:
    """What a file says, as an index (also by name) or as a score with GLUE's three decimals."""
    if given in (None, "", "-", "-1", -1):
        raise DataError(f"{place} has no label", NO_LABEL)
    if given in task.labels:
        return task.labels.index(given)
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = -1.0
    if task.regression and 0 <= value <= 5:
        return round(value, 3)
    if value in range(len(task.labels)):
        return int(value)
    known = "a number from 0 to 5" if task.regression else f"one of {', '.join(task.labels)}, or its index"
    raise DataError(f"{place} has the label {given!r}", f"A label of {task.title} is {known}")
