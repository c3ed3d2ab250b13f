"""Differences between the methods of a section at one bit-width, and the ranks that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from .record import Record
from .sections import require_same_scope
from .statistics import Difference, mean_sd, paired_over_seeds

Name = TypeVar("Name")

#: How far a metric may be from the mean of its per-sample values (rounding of the metric).
_TOLERANCE = 5e-3


def difference(first: Sequence[Record], second: Sequence[Record]) -> Difference | None:
    """First minus second, each one method's records (a seed each), in units of the main metric.

    ``None`` where the metric is not the mean of its per-sample values (or their percentage), so that nothing
    is paired. Raises :class:`harness.DataError` for records that do not compare.
    """
    for other in (*first[1:], *second):
        require_same_scope(first[0], other)
    scale = _scale([*first, *second])
    if scale is None:
        return None
    one, other_one = ({record.asked.seed: record.per_sample.unpack() for record in records if record.per_sample}
                      for records in (first, second))
    if len({len(values) for values in (*one.values(), *other_one.values())}) != 1:
        return None
    return paired_over_seeds(one, other_one, scale)


def _scale(records: Sequence[Record]) -> float | None:
    """The factor from the mean of the per-sample values to the metric: 1, or 100 for percent."""
    for scale in (100.0, 1.0):
        if all(record.per_sample and _explains(scale, record) for record in records):
            return scale
    return None


def _explains(scale: float, record: Record) -> bool:
    if record.per_sample is None:
        return False
    mean, _ = mean_sd(record.per_sample.unpack().tolist())
    return abs(scale * mean - record.value) <= _TOLERANCE


def ranks(members: Mapping[Name, Sequence[Record]]) -> dict[Name, int]:
    """Rank by mean main metric, 1 the highest; name -> records of one method.

    A method shares the rank of the best one of the rank before it, where the interval of their difference
    contains 0. Without paired values only equal figures share a rank.
    """
    means = {name: mean_sd([record.value for record in records])[0] for name, records in members.items()}
    result: dict[Name, int] = {}
    leader: Name | None = None
    for position, name in enumerate(sorted(members, key=lambda name: -means[name]), 1):
        if leader is not None and _tie(members[leader], members[name], means[leader] == means[name]):
            result[name] = result[leader]
        else:
            leader, result[name] = name, position
    return result


def _tie(leader: Sequence[Record], other: Sequence[Record], equal: bool) -> bool:
    found = difference(leader, other)
    return equal if found is None else found.is_tie
