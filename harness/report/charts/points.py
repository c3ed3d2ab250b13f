"""What charts draw: for each section of comparable records, one point for each row and bit-width, over its seeds.

A pure function of records, as tables are. Light: no Altair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ...results.entry import Entry, Measured
from ...results.record import Record
from ...results.statistics.differences import mean_sd
from ...results.tables.probes import probe
from ...results.tables.row_labels import Ablations, grouped
from ...results.tables.sections import Scope, split
from ...results.tables.selection import bits_order

Item = TypeVar("Item")

#: Phases of a run that make the quantized model: all that the method pays once.
MAKING = ("allocate", "calibrate", "train")


@dataclass(frozen=True)
class Point:
    """One row at one bit-width; means over ``records``, its finished seeds. ``None``: nothing known.

    ``sd`` over seeds, where there are several. ``bops`` and ``size`` (bytes) of one sample and of the model;
    ``seconds`` of calibration, allocation and training. ``own``: no variant (see :func:`own_rows`).
    """

    label: str
    method: str
    bits: str
    budget: str
    value: float
    sd: float | None
    bops: float | None
    size: float | None
    seconds: float | None
    own: bool
    records: tuple[Measured, ...]

    @property
    def identities(self) -> tuple[str, ...]:
        """Of its records, by seed."""
        return tuple(record.identity for record in self.records)

    @property
    def first(self) -> Record:
        """The whole record of its first seed, with coverage and notes."""
        return whole(self.records[0])


@dataclass(frozen=True)
class Drawn:
    """What can be drawn of one section. ``full``: the measured full-precision figure.

    ``methods``: every method of every section, those that do not train first, so that looks do not differ by section.
    """

    scope: Scope
    metric: str
    full: float | None
    notices: tuple[str, ...]
    points: tuple[Point, ...]
    methods: tuple[tuple[str, bool], ...] = ()

    @property
    def bits(self) -> tuple[str, ...]:
        """All bit-widths, fewest first."""
        return tuple(sorted({point.bits for point in self.points}, key=bits_order))


def sections(records: Iterable[Measured], convention: str, ablations: Ablations, *,
             probes: bool = False) -> list[Drawn]:
    """Every section with a finished run that is not the reference; ``probes``: with those of parts of the model."""
    records = records if probes else [record for record in records if not probe(record)]
    scopes = sorted(split(records).items(), key=lambda item: (item[0].task, item[0].order))
    made = [_section(scope, members, convention, ablations) for scope, members in scopes]
    methods = {(bool(point.budget), point.method) for section in made for point in section.points}
    order = tuple((method, trained) for trained, method in sorted(methods))
    return [replace(section, methods=order) for section in made if section.points]


def own_rows(rows: Mapping[str, Sequence[Measured]]) -> set[str]:
    """The labels that stand for their method and budget; every other row is a variant of one of them.

    It is the row without options given, or else the one with the most bit-widths.
    """
    families: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label, group in rows.items():
        families[group[0].asked.method, group[0].asked.budget].append(label)

    def order(label: str) -> tuple[bool, int, str]:
        group = rows[label]
        return bool(group[0].options), -len({record.asked.bits for record in group}), label
    return {min(labels, key=order) for labels in families.values()}


def whole(measured: Measured) -> Record:
    """The record with coverage and notes, which an entry of the index reads from its file."""
    if isinstance(measured, Entry):
        return measured.record()
    assert isinstance(measured, Record)  # nothing else is measured
    return measured


def _section(scope: Scope, members: Sequence[Measured], convention: str, ablations: Ablations) -> Drawn:
    finished = [record for record in members if record.status == "ok"]
    rows = grouped(finished, ablations)
    own = own_rows(rows)
    points = []
    for label, group in rows.items():
        for bits in sorted({record.asked.bits for record in group}, key=bits_order):
            points.append(_point(label, bits, [record for record in group if record.asked.bits == bits], convention,
                                 label in own))
    reference = next((record.value for record in finished if record.is_reference), None)
    if reference is None:
        reference = next((record.reference.value for record in finished if record.reference), None)
    return Drawn(scope, next((record.main_metric for record in finished), ""), reference,
                 tuple(sorted({record.notice for record in finished if record.notice})), tuple(points))


def _point(label: str, bits: str, group: Sequence[Measured], convention: str, own: bool) -> Point:
    group = sorted(group, key=lambda record: record.asked.seed)
    value, sd = mean_sd([record.value for record in group])
    costs = [record.costs for record in group if record.costs]
    return Point(
        label=label, method=group[0].asked.method, bits=bits, budget=group[0].asked.budget, value=value, sd=sd,
        bops=_mean(costs, lambda cost: cost.bops.get(convention)),
        size=_mean(costs, lambda cost: cost.sizes.get(convention, cost.sizes.get("plain"))),
        seconds=_mean(group, _making), own=own, records=tuple(group))


def _making(record: Measured) -> float | None:
    known = [record.timings[phase] for phase in MAKING if phase in record.timings]
    return sum(known) if known else None


def _mean(items: Sequence[Item], number: Callable[[Item], float | None]) -> float | None:
    known = [value for value in map(number, items) if value is not None]
    return mean_sd(known)[0] if known else None
