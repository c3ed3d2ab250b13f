"""The threshold of least KL divergence between values and quantized values, as MXNet and TensorRT search it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

#: What empty bins get from the others, so that no logarithm is infinite.
_SMOOTHING = 1e-4


def kl_threshold(counts: Vector, reach: float, levels: int) -> float:
    """T in ``(0, reach]`` of least divergence for ``levels`` (odd) quantization levels.

    ``counts``: an odd number of bins over ``[-reach, reach]``. Tried are all ranges of whole bins around the middle one
    that have at least as many bins as there are levels; the first of equals. ``reach`` where there is none.
    """
    middle = len(counts) // 2
    tried = range(levels // 2, middle + 1)
    if not tried:
        return reach
    best = min(tried, key=lambda half: divergence(counts, half, levels))
    return reach * (2 * best + 1) / len(counts)


def divergence(counts: Vector, half: int, levels: int) -> float:
    """KL(P || Q) for the range of ``2 half + 1`` bins around the middle one.

    P: the bins of the range, its two outermost with all that lies beyond. Q: the same without what lies beyond,
    merged into ``levels`` runs of equally many bins (the last takes the rest) and spread evenly again over those
    bins of each run where P is not empty. Infinite where Q has nothing.
    """
    middle = len(counts) // 2
    inside = counts[middle - half:middle + half + 1]
    expected = inside.copy()
    expected[0] += counts[:middle - half].sum()
    expected[-1] += counts[middle + half + 1:].sum()
    filled = expected != 0
    run = np.minimum(np.arange(len(inside)) // (len(inside) // levels), levels - 1)
    totals, sizes = np.bincount(run, inside, levels), np.bincount(run, filled, levels)
    given = np.where(filled, totals[run] / np.maximum(sizes, 1)[run], 0.0)
    if not given.any():
        return float("inf")
    p, q = _smoothed(expected), _smoothed(given)
    if (p <= 0).any() or (q <= 0).any():
        return float("inf")
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def _smoothed(values: Vector) -> Vector:
    """Empty bins raised to :data:`_SMOOTHING`, the others lowered so that the sum stays."""
    empty = values == 0
    taken = _SMOOTHING * empty.sum() / (~empty).sum()
    return np.where(empty, _SMOOTHING, values - taken)
