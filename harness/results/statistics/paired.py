"""The difference of two methods over the same samples, and over seeds.

Each method has one run a seed; its figure is their mean. The variance of a difference is the sum of two parts: over
samples, drawn together for both methods; over seeds (:func:`.statistics.seed_variance`). The sum is cautious: seeds
also move the first part a little. For a metric that is a mean the first part is the variance of the paired differences,
and the interval is normal; for any other it is found by resampling, and the interval is between percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..samples import PerSample
from .differences import Z95, Difference, mcnemar_p, mean, mean_sd, seed_variance
from .resampling import SEED, estimate, replicates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Runs(dict[int, PerSample]):
    """The runs of one method, seed -> its samples, which are not to be changed; and what all its pairs need of them."""

    @cached_property
    def n(self) -> int | None:
        """How many samples each has; ``None`` where they differ."""
        sizes = {samples.n for samples in self.values()}
        return sizes.pop() if len(sizes) == 1 else None

    @cached_property
    def packed(self) -> list[bytes] | None:
        """The values of each run, a bit a sample; ``None`` where not all are 0 or 1."""
        packed = [samples.packed() for samples in self.values()]
        return None if None in packed else [each for each in packed if each is not None]

    @cached_property
    def counts(self) -> dict[int, int]:
        """Seed -> how many samples are right, for runs of bits."""
        return dict(zip(self, [int.from_bytes(each).bit_count() for each in self.packed or ()], strict=True))

    @cached_property
    def count(self) -> int:
        """The sum of :attr:`counts`."""
        return sum(self.counts.values())

    @cached_property
    def estimates(self) -> dict[int, float]:
        """Seed -> the metric that its samples give, in parts of 1."""
        if self.packed is None:
            return {seed: estimate(samples) for seed, samples in self.items()}
        return {seed: self.counts[seed] / samples.n for seed, samples in self.items()}

    @cached_property
    def right(self) -> NDArray[np.floating]:
        """How many of the runs of bits get each sample right, (sample,); in a type whose sums of products are exact."""
        import numpy as np

        size = self.n or 0
        rows = np.frombuffer(b"".join(self.packed or ()), np.uint8).reshape(len(self), -1)
        counts = np.unpackbits(rows, axis=1, count=size).sum(axis=0, dtype=np.uint16)
        return counts.astype(np.float32 if size * len(self)**2 < 2**24 else np.float64)

    @cached_property
    def value(self) -> NDArray[np.float64]:
        """The value of each sample, the mean over the runs, (sample,); for a metric that is the mean of values."""
        import numpy as np

        return np.asarray(np.mean([samples.unpack() for samples in self.values()], axis=0))

    @cached_property
    def means(self) -> dict[int, float]:
        """Seed -> the mean of the values of its samples."""
        return {seed: mean(samples.unpack().tolist()) for seed, samples in self.items()}

    @cached_property
    def squares(self) -> int:
        """Sum of the squares of :attr:`right`."""
        return _product(self, self)


def _product(first: Runs, second: Runs) -> int:
    """Sum over the samples of how many of the first's runs are right times how many of the second's."""
    if len(first) == len(second) == 1 and first.packed and second.packed:
        return (int.from_bytes(first.packed[0]) & int.from_bytes(second.packed[0])).bit_count()
    return int(first.right @ second.right)


#: Digits of what resampling gives: its sums may differ in the last ones from machine to machine.
_DIGITS = 9


def paired(first: Mapping[int, PerSample], second: Mapping[int, PerSample], scale: float = 1.0) -> Difference | None:
    """``scale`` times the difference of two methods' metrics; seed -> samples of each.

    ``None`` where nothing can be paired: other numbers of samples, or other metrics.
    """
    first, second = (each if isinstance(each, Runs) else Runs(each) for each in (first, second))
    if first.n is None or first.n != second.n:
        return None
    if first.packed is not None and second.packed is not None:
        return _of_bits(first, second, scale)
    runs = [*first.values(), *second.values()]
    if all(samples.metric.values for samples in runs):
        return _of_values(first, second, scale)
    if len({samples.statistic for samples in runs}) != 1:
        return None
    return _resampled(first, second, scale)


def _of_bits(first: Runs, second: Runs, scale: float) -> Difference:
    """All values are 0 or 1: everything follows from whole numbers."""
    ones, others, n = len(first), len(second), first.n or 0
    both = _product(first, second)
    # Of each sample ones * others times its difference: the sum, and the sum of squares.
    total = others * first.count - ones * second.count
    squares = others**2 * first.squares + ones**2 * second.squares - 2 * ones * others * both
    variance = (n * squares - total**2) / (n * n * max(1, n - 1) * (ones * others) ** 2)
    p = mcnemar_p(first.count - both, second.count - both) if ones == others == 1 else None
    figures = [{seed: scale * count / n for seed, count in runs.counts.items()} for runs in (first, second)]
    return _normal(scale * total / (n * ones * others), scale**2 * variance, figures, n, p)


def _of_values(first: Runs, second: Runs, scale: float) -> Difference:
    difference = scale * (first.value - second.value)
    value, sd = mean_sd(difference.tolist())
    figures = [{seed: scale * found for seed, found in runs.means.items()} for runs in (first, second)]
    return _normal(value, (sd or 0.0) ** 2 / len(difference), figures, len(difference))


def _normal(value: float, variance: float, figures: Sequence[Mapping[int, float]], samples: int,
            p: float | None = None) -> Difference:
    """``figures``: seed -> figure, of the first and of the second."""
    first, second = figures
    error = math.sqrt(variance + seed_variance(first, second))
    return Difference(value, error, value - Z95 * error, value + Z95 * error, samples, min(len(first), len(second)), p)


def _resampled(first: Runs, second: Runs, scale: float) -> Difference:
    """The percentile interval of the paired bootstrap (Efron & Tibshirani 1993, ch. 13)."""
    import numpy as np

    drawn = [np.mean([scale * replicates(samples) for samples in runs.values()], axis=0) for runs in (first, second)]
    differences = drawn[0] - drawn[1]
    figures = [{seed: scale * found for seed, found in runs.estimates.items()} for runs in (first, second)]
    one, other = (mean(list(each.values())) for each in figures)
    of_seeds = seed_variance(*figures)
    if of_seeds:
        differences = differences + math.sqrt(of_seeds) * _normal_draws(len(differences))
    error = math.sqrt(float(np.var(differences, ddof=1)))
    low, high = np.percentile(differences, [2.5, 97.5]).tolist()
    value, error, low, high = (round(number, _DIGITS) + 0.0 for number in (one - other, error, low, high))
    return Difference(value, error, low, high, first.n or 0, min(len(first), len(second)))


def _normal_draws(count: int) -> NDArray[np.float64]:
    """``count`` quantiles of the normal distribution in an order that has nothing to do with the resamples'."""
    import numpy as np
    from scipy.special import ndtri

    order = np.random.Generator(np.random.PCG64(SEED + 1)).permutation(count)
    quantiles: NDArray[np.float64] = ndtri((order + 0.5) / count)
    return quantiles
