"""The figures that say how sure a difference is: mean and deviation, the difference's interval, McNemar's test.

Sums are exact (``math.fsum``, or whole numbers), so that a table has the same bytes on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

#: 97.5 % quantile of the normal distribution: half the width of a 95 % interval, in standard errors.
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Difference:
    """First minus second. ``low`` to ``high`` is the 95 % interval.

    ``samples``: how many were paired. ``seeds``: how many seeds of each went into it (the smaller number).
    ``p``: exact two-sided McNemar test, where every value is 0 or 1 and each has one seed.
    """

    value: float
    standard_error: float
    low: float
    high: float
    samples: int
    seeds: int = 1
    p: float | None = None

    @property
    def is_tie(self) -> bool:
        """Whether the interval contains 0."""
        return self.low <= 0.0 <= self.high


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return math.fsum(values) / len(values)


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1); ``None`` for the latter of a single value."""
    middle = mean(values)
    if len(values) < 2:
        return middle, None
    return middle, math.sqrt(math.fsum([(value - middle) ** 2 for value in values]) / (len(values) - 1))


def seed_variance(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    """Variance of the difference of means over seeds that comes from their choice; seed -> figure of each.

    Seed by seed where both have the same seeds, else of each one's own seeds. 0 for a single seed.
    """
    if first.keys() == second.keys():
        parts = [[first[seed] - second[seed] for seed in first]]
    else:
        parts = [list(first.values()), list(second.values())]
    return math.fsum([(mean_sd(part)[1] or 0.0) ** 2 / len(part) for part in parts])


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Exact two-sided p of McNemar's test: samples that only the first, only the second gets right (McNemar 1947).

    What ``scipy.stats.binomtest`` gives for a probability of 1/2, where it is twice the lower tail, in a hundredth
    of its time and without importing ``scipy.stats``.
    """
    from scipy.special import bdtr

    return min(1.0, 2.0 * float(bdtr(min(first_only, second_only), first_only + second_only, 0.5)))
