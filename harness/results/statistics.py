"""How sure a difference between two methods is: over the same samples, and over seeds.

Sums are exact (``math.fsum``), so that a table has the same bytes on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: 97.5 % quantile of the normal distribution: half the width of a 95 % interval, in standard errors.
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Difference:
    """First minus second. ``low`` to ``high`` is the 95 % interval (normal approximation).

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


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1); ``None`` for the latter of a single value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def paired_difference(first: Array, second: Array, scale: float = 1.0) -> Difference:
    """``scale`` times the mean difference of two runs over the same samples, in the same order.

    ``first``, ``second``: one value a sample, shape ``(n,)``. Raises :class:`ValueError` for different
    or zero lengths.
    """
    return paired_over_seeds({0: first}, {0: second}, scale)


def paired_over_seeds(first: Mapping[int, Array], second: Mapping[int, Array], scale: float = 1.0) -> Difference:
    """The difference of two methods with one run a seed each (seed -> one value a sample).

    The difference is that of the means over each one's seeds. Its variance is the sum of two parts: over
    samples, of the paired differences (each sample averaged over the seeds); over seeds, of the differences
    seed by seed where both have the same seeds, else of each one's own seeds. The second part is 0 for a
    single seed. The sum is cautious: seeds also move the first part a little.
    """
    import numpy as np

    lengths = {len(values) for values in (*first.values(), *second.values())}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"cannot pair samples of lengths {sorted(lengths)}")
    samples = lengths.pop()
    difference = scale * (np.mean(list(first.values()), axis=0) - np.mean(list(second.values()), axis=0))
    value, sd = mean_sd(difference.tolist())
    variance = (sd or 0.0) ** 2 / samples + scale**2 * _seed_variance(first, second)
    error = math.sqrt(variance)
    return Difference(value, error, value - Z95 * error, value + Z95 * error, samples,
                      min(len(first), len(second)), _exact_p(first, second))


def _seed_variance(first: Mapping[int, Array], second: Mapping[int, Array]) -> float:
    """Variance of the difference of means that comes from the choice of the seeds."""
    means = [{seed: math.fsum(values) / len(values) for seed, values in runs.items()} for runs in (first, second)]
    if first.keys() == second.keys():
        parts = [[means[0][seed] - means[1][seed] for seed in first]]
    else:
        parts = [list(each.values()) for each in means]
    return math.fsum((mean_sd(part)[1] or 0.0) ** 2 / len(part) for part in parts)


def _exact_p(first: Mapping[int, Array], second: Mapping[int, Array]) -> float | None:
    if len(first) != 1 or len(second) != 1:
        return None
    (one,), (other,) = first.values(), second.values()
    if not all(((values == 0) | (values == 1)).all() for values in (one, other)):
        return None
    return mcnemar_p(int(((one == 1) & (other == 0)).sum()), int(((one == 0) & (other == 1)).sum()))


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Exact two-sided p of McNemar's test: samples that only the first, only the second gets right.

    Twice the lower tail of the binomial distribution with probability 1/2, at most 1 (McNemar 1947).
    """
    n, few = first_only + second_only, min(first_only, second_only)
    if n == 0:
        return 1.0
    logarithm = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
                 for k in range(few + 1)]
    return min(1.0, 2.0 * math.fsum(math.exp(term) for term in logarithm))
