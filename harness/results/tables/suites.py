"""The table of a suite: tasks side by side, one row a method and bit-width, with averages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...specs import SuiteSpec
from ..entry import Measured
from ..published import PublishedRow
from ..statistics.differences import mean_sd
from .cells import FULL_PRECISION_WIDTH
from .published_beside import published_order
from .row_labels import Ablations, grouped
from .sections import Scope
from .selection import bits_order
from .table import heading_of

FULL_PRECISION_LABEL = "full precision"


@dataclass(frozen=True)
class SuiteCell:
    """One metric of one task. ``value``: mean over ``seeds`` runs; ``sd`` where there are several."""

    value: float
    sd: float | None
    seeds: int


@dataclass(frozen=True)
class SuiteRow:
    """One method at one bit-width. ``cells``: column -> what was measured. ``averages``: only complete ones."""

    label: str
    bits: str
    cells: Mapping[str, SuiteCell]
    averages: Mapping[str, float]


@dataclass(frozen=True)
class SuiteSection:
    """Rows that may be compared: one scale, model, calibration size and limit."""

    heading: str
    columns: tuple[str, ...]
    averages: tuple[str, ...]
    rows: tuple[SuiteRow, ...]
    published: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class SuiteTable:
    """All sections of a suite. ``remarks`` say what is missing, and why."""

    suite: str
    sections: tuple[SuiteSection, ...]
    remarks: tuple[str, ...]


def suite_table(suite: SuiteSpec, records: Iterable[Measured], published: Iterable[PublishedRow],
                ablations: Ablations) -> SuiteTable:
    """The table of ``suite``; records of other tasks are left out.

    A task whose records lie on several data sets or weights has no place in a row, and is left out with a remark.
    """
    remarks: list[str] = []
    chosen = _unambiguous([record for record in records if record.asked.task in suite.tasks and record.status == "ok"],
                          remarks)
    rows = sorted((row for row in published if row.task in (*suite.tasks, suite.name)), key=published_order)
    sections = tuple(_section(suite, heading, members, [row for row in rows if row.model == members[0].asked.model],
                              ablations) for heading, members in _by_heading(chosen).items())
    if not sections:
        remarks.append(f"No records of {suite.name}. Make some: harness run --methods minmax --task {suite.name}")
    elif any(len(row.cells) < len(suite.columns) for section in sections for row in section.rows):
        remarks.append("A row has an average only where it has all of the average's columns.")
    return SuiteTable(suite.name, sections, tuple(remarks))


def _unambiguous(records: Sequence[Measured], remarks: list[str]) -> list[Measured]:
    places: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for record in records:
        where = places.setdefault((heading_of(Scope.of(record)), record.asked.task), set())
        where.add((record.asked.fingerprint, record.asked.weights_hash))
    several = {place for place, where in places.items() if len(where) > 1}
    remarks += [f"{heading}: {task} has records on several data sets or weights; see harness table --task {task}"
                for heading, task in sorted(several)]
    return [record for record in records if (heading_of(Scope.of(record)), record.asked.task) not in several]


def _by_heading(records: Sequence[Measured]) -> dict[str, list[Measured]]:
    """The records of each section; the full-precision ones, which have no calibration, join all that they fit."""
    found: dict[str, list[Measured]] = {}
    for record in records:
        if not record.is_reference:
            found.setdefault(heading_of(Scope.of(record)), []).append(record)
    references = [record for record in records if record.is_reference]
    if not found:
        return {heading_of(Scope.of(record)): references for record in references[:1]}
    for members in found.values():
        scope = Scope.of(members[0]).without_calibration
        members += [record for record in references if (record.asked.scale, record.asked.model) ==
                    (scope.scale, scope.model) and record.asked.evaluation_limit == scope.evaluation_limit]
    return dict(sorted(found.items()))


def _section(suite: SuiteSpec, heading: str, members: Sequence[Measured], published: Sequence[PublishedRow],
             ablations: Ablations) -> SuiteSection:
    references = [record for record in members if record.is_reference]
    rows = [_row(suite, FULL_PRECISION_LABEL, FULL_PRECISION_WIDTH, references)]
    for label, group in grouped(members, ablations).items():
        for bits in sorted({record.asked.bits for record in group}):
            rows.append(_row(suite, label, bits, [record for record in group if record.asked.bits == bits]))
    ordered = [rows[0], *sorted(rows[1:], key=lambda row: (bits_order(row.bits), [-row.averages.get(name, -1.0)
                                                                             for name in suite.averages], row.label))]
    return SuiteSection(heading, suite.columns, tuple(suite.averages), tuple(row for row in ordered if row.cells),
                        tuple(published))


def _row(suite: SuiteSpec, label: str, bits: str, records: Sequence[Measured]) -> SuiteRow:
    cells: dict[str, SuiteCell] = {}
    for column in suite.columns:
        task, _, metric = column.partition(".")
        values = [record.metrics[metric] for record in records
                  if record.asked.task == task and metric in record.metrics]
        if values:
            cells[column] = SuiteCell(*mean_sd(values), len(values))
    averages = {name: mean_sd([cells[column].value for column in columns])[0]
                for name, columns in suite.averages.items() if all(column in cells for column in columns)}
    return SuiteRow(label, bits, cells, averages)
