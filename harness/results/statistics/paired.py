"""The difference of two methods over the same samples, and over seeds.

Each method has one run a seed; its figure is their mean. The variance of a difference is the sum of two parts: over
samples, drawn together for both methods; over seeds (:func:`.statistics.seed_variance`). The sum is cautious: seeds
also move the first part a little. For a metric that is a mean the first part is the variance of the paired differences,
and the interval is normal; for any other it is found by resampling, and the interval is between percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from ..samples import PerSample
from .differences import Z95, Difference, mcnemar_p, mean_sd, seed_variance
from .resampling import SEED, estimate, replicates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Runs(dict[int, PerSample]):
    """The runs of one method: seed -> its samples."""

    @cached_property
    def right(self) -> NDArray[np.int16]:
        """How many of the runs get each sample right, int16 (sample,); only for runs of bits."""
        import numpy as np

        rows = np.stack([samples.words for samples in self.values() if samples.words is not None])
        count = next(iter(self.values())).n
        return np.unpackbits(rows.view(np.uint8), axis=1, count=count).sum(axis=0, dtype=np.int16)


#: Digits of what resampling gives: its sums may differ in the last ones from machine to machine.
_DIGITS = 9


def paired(first: Mapping[int, PerSample], second: Mapping[int, PerSample], scale: float = 1.0) -> Difference | None:
    """``scale`` times the difference of two methods' metrics; seed -> samples of each.

    ``None`` where nothing can be paired: other numbers of samples, or other metrics.
    """
    first, second = (each if isinstance(each, Runs) else Runs(each) for each in (first, second))
    runs = [*first.values(), *second.values()]
    if len({samples.n for samples in runs}) != 1:
        return None
    if all(samples.words is not None for samples in runs):
        return _of_bits(first, second, scale)
    if all(samples.metric.values for samples in runs):
        return _of_values(first, second, scale)
    if len({samples.statistic for samples in runs}) != 1:
        return None
    return _resampled(first, second, scale)


def _of_bits(first: Runs, second: Runs, scale: float) -> Difference:
    """All values are 0 or 1: everything follows from whole numbers."""
    runs = [*first.values(), *second.values()]
    ones, others, n = len(first), len(second), runs[0].n
    right = [samples.count for samples in runs]
    p = None
    # Of each sample ones * others times its difference: the sum, and the sum of squares.
    if len(runs) == 2:
        both = _both(*runs)
        total, squares = right[0] - right[1], right[0] + right[1] - 2 * both
        p = mcnemar_p(right[0] - both, right[1] - both)
    else:
        differences = others * first.right.astype("int64") - ones * second.right.astype("int64")
        total, squares = int(differences.sum()), int(differences @ differences)
    variance = (n * squares - total**2) / (n * n * max(1, n - 1) * (ones * others) ** 2)
    means = [scale * count / n for count in right]
    return _normal(scale * total / (n * ones * others), scale**2 * variance, first, second, means, p)


def _both(one: PerSample, other: PerSample) -> int:
    """How many samples both get right."""
    import numpy as np

    assert one.words is not None
    assert other.words is not None
    return int(np.bitwise_count(one.words & other.words).sum(dtype=np.int64))


def _of_values(first: Runs, second: Runs, scale: float) -> Difference:
    import numpy as np

    values = [samples.unpack() for samples in (*first.values(), *second.values())]
    difference = scale * (np.mean(values[:len(first)], axis=0) - np.mean(values[len(first):], axis=0))
    value, sd = mean_sd(difference.tolist())
    means = [scale * mean_sd(each.tolist())[0] for each in values]
    return _normal(value, (sd or 0.0) ** 2 / len(difference), first, second, means, None)


def _normal(value: float, variance: float, first: Runs, second: Runs, means: list[float],
            p: float | None) -> Difference:
    error = math.sqrt(variance + _seed_variance(first, second, means))
    return Difference(value, error, value - Z95 * error, value + Z95 * error, next(iter(first.values())).n,
                      min(len(first), len(second)), p)


def _resampled(first: Runs, second: Runs, scale: float) -> Difference:
    """The percentile interval of the paired bootstrap (Efron & Tibshirani 1993, ch. 13)."""
    import numpy as np

    runs = [*first.values(), *second.values()]
    means = [scale * estimate(samples) for samples in runs]
    drawn = [scale * replicates(samples) for samples in runs]
    differences = np.mean(drawn[:len(first)], axis=0) - np.mean(drawn[len(first):], axis=0)
    value = math.fsum(means[:len(first)]) / len(first) - math.fsum(means[len(first):]) / len(second)
    of_seeds = _seed_variance(first, second, means)
    if of_seeds:
        differences = differences + math.sqrt(of_seeds) * _normal_draws(len(differences))
    error = math.sqrt(float(np.var(differences, ddof=1)))
    low, high = np.percentile(differences, [2.5, 97.5]).tolist()
    value, error, low, high = (round(number, _DIGITS) + 0.0 for number in (value, error, low, high))
    return Difference(value, error, low, high, runs[0].n, min(len(first), len(second)))


def _normal_draws(count: int) -> NDArray[np.float64]:
    """``count`` quantiles of the normal distribution in an order that has nothing to do with the resamples'."""
    import numpy as np
    from scipy.special import ndtri

    order = np.random.Generator(np.random.PCG64(SEED + 1)).permutation(count)
    quantiles: NDArray[np.float64] = ndtri((order + 0.5) / count)
    return quantiles


def _seed_variance(first: Runs, second: Runs, means: list[float]) -> float:
    if len(means) == 2:
        return 0.0
    return seed_variance(dict(zip(first, means, strict=False)), dict(zip(second, means[len(first):], strict=True)))
