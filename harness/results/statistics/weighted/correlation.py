"""Correlation of answers and labels that are numbers; 0 where one of them is all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from . import Array, Columns

Floats = NDArray[np.float64]


def pearson(columns: Columns, weights: Array) -> Floats:
    """Pearson's correlation."""
    answer, label = (np.asarray(columns[name], np.float64)[:, None] for name in ("answer", "label"))
    return _correlation(answer, label, weights)


def spearman(columns: Columns, weights: Array) -> Floats:
    """Spearman's: Pearson's of the ranks, equal values sharing the mean of theirs."""
    return _correlation(_ranks(columns["answer"], weights), _ranks(columns["label"], weights), weights)


def _ranks(values: Array, weights: Array) -> Floats:
    """Ranks among all samples, each as often as its weight says: (samples, resamples)."""
    distinct, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(distinct)))
    sizes = np.add.reduceat(weights[order], starts, axis=0)
    return (np.cumsum(sizes, axis=0) - (sizes - 1) / 2)[group]


def _correlation(first: Floats, second: Floats, weights: Array) -> Floats:
    total = weights.sum(0)
    first, second = (values - (values * weights).sum(0) / total for values in (first, second))
    above = (first * second * weights).sum(0)
    below = np.sqrt((first**2 * weights).sum(0)) * np.sqrt((second**2 * weights).sum(0))
    defined = np.stack([_varies(values, weights) for values in (first, second)]).all(0)
    return np.divide(above, below, out=np.zeros_like(below), where=defined & (below > 0))


def _varies(values: Floats, weights: Array) -> NDArray[np.bool_]:
    """Where the samples that count have more than one value; rounding hides it in their variance."""
    values = np.broadcast_to(values, weights.shape)
    counts = weights > 0
    return (values.max(0, where=counts, initial=-np.inf) > values.min(0, where=counts, initial=np.inf))
