"""Metrics that only count samples: mean, accuracy, F1, Matthews' correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from . import Array, Columns

Floats = NDArray[np.float64]


def given(columns: Columns) -> Floats:
    """The values themselves."""
    return np.asarray(columns["value"], np.float64)


def right(columns: Columns) -> Floats:
    """1 where the answer is the label."""
    return np.asarray(columns["answer"] == columns["label"], np.float64)


def mean(columns: Columns, weights: Array) -> Floats:
    """Mean of the values."""
    return given(columns) @ weights / weights.sum(0)


def accuracy(columns: Columns, weights: Array) -> Floats:
    """The part of the answers that is right."""
    return right(columns) @ weights / weights.sum(0)


def f1(columns: Columns, weights: Array) -> Floats:
    """Harmonic mean of precision and recall of label 1; 0 where it is neither answered nor there."""
    hit, answered, there, _ = _confusion(columns, weights)
    return _ratio(2 * hit, answered + there)


def matthews(columns: Columns, weights: Array) -> Floats:
    """Correlation of answers and labels of 0 and 1; 0 where one of them is all the same."""
    hit, answered, there, total = _confusion(columns, weights)
    below = np.sqrt(answered * (total - answered)) * np.sqrt(there * (total - there))
    return _ratio(total * hit - answered * there, below)


def _confusion(columns: Columns, weights: Array) -> Floats:
    """How many are right and 1, answered 1, labelled 1, and all: (4, resamples)."""
    answer, label = (np.asarray(columns[name], np.float64) for name in ("answer", "label"))
    return np.stack([answer * label, answer, label, np.ones_like(answer)]) @ weights


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
