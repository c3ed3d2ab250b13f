"""How far two methods are apart in any quantity of their records, and how sure that is.

Metrics are compared over the same samples where they can be (see :func:`.ranking.difference`); bit-operations, sizes
and the like are counted, and so exact; all else (seconds, what a method notes) is as sure as its seeds agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..entry import Entry, Measured
from ..statistics.differences import Difference, mean_sd
from ..tables.ranking import difference

#: What an interval is made from.
Basis = Literal["samples", "samples and seeds", "seeds", "exact", "unknown"]

#: The records of both sides.
Pair = tuple[Sequence[Measured], Sequence[Measured]]


@dataclass(frozen=True)
class Effect:
    """``first`` and ``second``: means over the runs that are compared. ``value``: first minus second, or the quotient
    of geometric means. ``difference``: the same with its 95 % interval; ``None`` where nothing is known of its
    uncertainty, and ``reason`` says why. ``basis``: what the interval is made from.
    """

    first: float
    second: float
    value: float
    basis: Basis
    seeds: int
    difference: Difference | None = None
    reason: str = ""


def effect(first: Sequence[Measured], second: Sequence[Measured], quantity: str = "",
           ratio: bool = False) -> Effect | None:
    """First compared with second, each one method's records (a seed each); ``None`` where a record lacks the number.

    Over the seeds that both have, if there are such, else over all of each. Raises :class:`harness.DataError` for
    records that do not compare.
    """
    one, other = _same_seeds(first, second)
    numbers = [_numbers(records, quantity) for records in (one, other)]
    if not all(numbers):
        return None
    means = [math.fsum(each) / len(each) for each in numbers]
    value = means[0] - means[1]
    if ratio:
        if min(numbers[0] + numbers[1]) <= 0:
            return None
        logs = [math.fsum(map(math.log, each)) / len(each) for each in numbers]
        value = math.exp(logs[0] - logs[1])
    references = any(record.is_reference for record in (*one, *other))
    made = Effect(means[0], means[1], value, "unknown", (max if references else min)(len(one), len(other)))
    if not quantity or quantity.startswith("metrics."):
        return _sampled(made, quantity.removeprefix("metrics."), (one, other), (first, second))
    if quantity.startswith(("timings.", "peak_memory")) and len({_machine(record) for record in (*one, *other)}) > 1:
        return replace(made, reason="measured on different machines")
    return _over_seeds(made, (one, other), *numbers, exact=quantity.startswith("costs."), ratio=ratio)


def quantity_of(record: Measured, path: str) -> float | None:
    """The number at a path of names and positions, such as ``notes.training.0.steps``; ``None`` where there is none."""
    if not path:
        return record.value
    whole = record.record() if isinstance(record, Entry) and path.startswith("notes") else record
    part: object = whole
    for name in path.split("."):
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif part is whole or (part is not None and path.startswith("costs.")):
            part = getattr(part, name, None)
        else:
            return None
    return float(part) if isinstance(part, int | float) and math.isfinite(part) else None


def _same_seeds(first: Sequence[Measured], second: Sequence[Measured]) -> tuple[list[Measured], list[Measured]]:
    """The runs of the seeds that both have. The full-precision record has none: it goes with every seed."""
    common = {record.asked.seed for record in first} & {record.asked.seed for record in second}
    if not common or any(record.is_reference for record in (*first, *second)):
        return list(first), list(second)
    return ([record for record in first if record.asked.seed in common],
            [record for record in second if record.asked.seed in common])


def _numbers(records: Sequence[Measured], quantity: str) -> list[float]:
    """One number a record; empty where one of them has none."""
    found = [quantity_of(record, quantity) for record in records]
    return [] if None in found else [number for number in found if number is not None]


def _machine(record: Measured) -> tuple[str, str, int]:
    environment = record.environment
    return environment.cpu, environment.device, environment.threads


def _sampled(made: Effect, metric: str, used: Pair, all_seeds: Pair) -> Effect:
    found = difference(*used, metric)
    if found is None:
        return _over_seeds(made, used, *(_numbers(records, metric and f"metrics.{metric}") for records in used))
    if made.seeds > 1:
        return replace(made, basis="samples and seeds", difference=found)
    # One seed in common says nothing of how much seeds matter; further seeds of either side do.
    half = max(_seed_half_width(_numbers(records, metric and f"metrics.{metric}")) for records in all_seeds)
    if not half:
        return replace(made, basis="samples", difference=found)
    half = math.hypot((found.high - found.low) / 2, half)
    wider = replace(found, low=found.value - half, high=found.value + half, p=None)
    return replace(made, basis="samples and seeds", difference=wider)


def _seed_half_width(values: Sequence[float]) -> float:
    """Half the 95 % interval of the difference of two single runs, where runs vary as ``values`` do."""
    spread = mean_sd(values)[1] if len(values) > 1 else None
    return 0.0 if spread is None else _t95(len(values) - 1) * math.sqrt(2) * spread


def _over_seeds(made: Effect, used: Pair, first: Sequence[float], second: Sequence[float], *, exact: bool = False,
                ratio: bool = False) -> Effect:
    """The interval from the spread over seeds: Student's t, seed by seed where both have the same; of logarithms for
    a ratio."""
    if ratio:
        first, second = [math.log(value) for value in first], [math.log(value) for value in second]
    center = mean_sd(first)[0] - mean_sd(second)[0]
    half = _half_width(used, first, second)
    if exact and (half is None or half == 0):
        counted = Difference(made.value, 0.0, made.value, made.value, 0, made.seeds)
        return replace(made, basis="exact", difference=counted)
    if half is None:
        return replace(made, reason="one seed, and nothing to pair")
    low, high = center - half, center + half
    if ratio:
        low, high = math.exp(low), math.exp(high)
    error = half / _t95(made.seeds - 1)
    return replace(made, basis="seeds", difference=Difference(made.value, error, low, high, 0, made.seeds))


def _half_width(used: Pair, first: Sequence[float], second: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the difference of means; ``None`` for a single value on either side."""
    if min(len(first), len(second)) < 2:
        return None
    if [record.asked.seed for record in used[0]] == [record.asked.seed for record in used[1]]:
        spread = mean_sd([a - b for a, b in zip(first, second, strict=True)])[1] or 0.0
        return _t95(len(first) - 1) * spread / math.sqrt(len(first))
    parts = [((mean_sd(values)[1] or 0.0) ** 2 / len(values), len(values) - 1) for values in (first, second)]
    variance = math.fsum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / math.fsum(part**2 / freedom for part, freedom in parts)  # Welch-Satterthwaite
    return _t95(freedom) * math.sqrt(variance)


def _t95(freedom: float) -> float:
    """97.5 % quantile of Student's t."""
    from scipy.special import stdtrit  # scipy.stats takes seconds to import

    return float(stdtrit(freedom, 0.975))
