"""Differences between the methods of a section at one bit-width, the ranks that follow, and what they resolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Generic, TypeVar

from ..entry import Measured
from ..samples import PerSample
from ..statistics.differences import Z95, Difference, mean
from ..statistics.paired import Runs, paired
from ..statistics.resampling import estimate
from .sections import Scope, require_same_scope

Name = TypeVar("Name")

#: How far a metric may be from what its samples give (rounding of the metric).
_TOLERANCE = 5e-3


class Comparison(Generic[Name]):
    """Methods at one bit-width; name -> records of one method, a seed each. Samples are fetched once.

    ``metric``: the main one, or one beside that has a statistic's name and needs the same of each sample (F1 beside
    accuracy). Raises :class:`harness.DataError` for records that do not compare.
    """

    def __init__(self, members: Mapping[Name, Sequence[Measured]], metric: str = "") -> None:
        records = [record for group in members.values() for record in group]
        if len({Scope.of(record) for record in records}) > 1:
            for other in records[1:]:
                require_same_scope(records[0], other)
        self.means = {name: mean([_value(record, metric) for record in group])
                      for name, group in members.items()}
        self._runs: dict[Name, Runs] = {}
        self._scales: dict[Name, set[float]] = {}
        self._differences: dict[tuple[Name, Name], Difference | None] = {}
        for name, group in members.items():
            values = {record.asked.seed: _value(record, metric) for record in group}
            found = {record.asked.seed: _samples(record, metric) for record in group}
            runs = self._runs[name] = Runs((seed, samples) for seed, samples in found.items() if samples)
            self._scales[name] = _scales(runs.estimates, values) if len(runs) == len(values) else set()

    def difference(self, first: Name, second: Name) -> Difference | None:
        """First minus second, in units of the metric.

        ``None`` where the metric is not what the samples give (or its percentage), so that nothing is paired.
        """
        pair = first, second
        if pair not in self._differences:
            scales = self._scales[first] & self._scales[second]
            self._differences[pair] = paired(self._runs[first], self._runs[second], max(scales)) if scales else None
        return self._differences[pair]

    def ranks(self) -> dict[Name, int]:
        """Rank by mean metric, 1 the highest.

        A method shares the rank of the best one of the rank before it, where the interval of their difference
        contains 0. Without paired values only equal figures share a rank.
        """
        result: dict[Name, int] = {}
        leader: Name | None = None
        for position, name in enumerate(self._ordered(), 1):
            if leader is not None and self._tie(name, leader):
                result[name] = result[leader]
            else:
                leader, result[name] = name, position
        return result

    def smallest_gap(self) -> float | None:
        """The smallest difference between neighbours of the ranking that is more than noise.

        ``gap = z * median over k of SE(m[k] - m[k+1])``, where ``m[1] >= m[2] >= ...`` are the methods' figures, SE is
        the paired standard error over samples and seeds, and z = 1.96: half the width of the usual 95 % interval of two
        methods next to each other. A smaller gap is a tie for half of such pairs or more. Pairs that agree in every
        sample say nothing and are left out; ``None`` where no pair is left.
        """
        ordered = self._ordered()
        found = [self.difference(lower, upper) for upper, lower in pairwise(ordered)]
        errors = [each.standard_error for each in found if each is not None and each.standard_error > 0]
        return Z95 * median(errors) if errors else None

    def _ordered(self) -> list[Name]:
        return sorted(self.means, key=lambda name: -self.means[name])

    def _tie(self, name: Name, leader: Name) -> bool:
        found = self.difference(name, leader)
        return self.means[name] == self.means[leader] if found is None else found.is_tie


def difference(first: Sequence[Measured], second: Sequence[Measured], metric: str = "") -> Difference | None:
    """First minus second, each one method's records; see :meth:`Comparison.difference`."""
    return Comparison({0: first, 1: second}, metric).difference(0, 1)


def ranks(members: Mapping[Name, Sequence[Measured]]) -> dict[Name, int]:
    """See :meth:`Comparison.ranks`."""
    return Comparison(members).ranks()


def smallest_gap(members: Mapping[Name, Sequence[Measured]]) -> float | None:
    """See :meth:`Comparison.smallest_gap`."""
    return Comparison(members).smallest_gap()


def scales_of(samples: PerSample, value: float) -> set[float]:
    """Which of 100 (percent) and 1 times what the samples give is the recorded figure; empty where none is."""
    return _scales({0: estimate(samples)}, {0: value})


def _scales(estimates: Mapping[int, float], values: Mapping[int, float]) -> set[float]:
    """The same for all seeds."""
    return {scale for scale in (100.0, 1.0)
            if all([abs(scale * found - values[seed]) <= _TOLERANCE for seed, found in estimates.items()])}


def _value(record: Measured, metric: str) -> float:
    return record.metrics[metric] if metric else record.value


def _samples(record: Measured, metric: str) -> PerSample | None:
    samples = record.per_sample
    if samples is None or metric in ("", record.main_metric):
        return samples
    return samples.read_as(metric)
