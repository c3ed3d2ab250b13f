"""The table of a task as a document: which lines, in which order, with which columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ..results.tables.cells import Cell
from ..results.tables.remarks import EXPLANATION
from ..results.tables.selection import bits_order
from ..results.tables.table import Section, Table
from .columns import DEFAULT, Content, Context, chosen, publication
from .document import Document, Part
from .grid import Column, Grid, Line, without_empty
from .published import place, published_grid

GroupBy = Literal["bits", "method"]

SIMULATED = ("Simulated speed is that of evaluation with quantization simulated in floating point, loading of data "
             "included: it says nothing about integer hardware. No record has a speed measured on such hardware.")


@dataclass(frozen=True)
class View:
    """How a table is shown. ``columns``: names of :data:`~harness.report.columns.COLUMNS`; none: the default ones,
    without those that are empty. ``published``: with the figures that papers print.
    """

    columns: tuple[str, ...] = ()
    group_by: GroupBy = "bits"
    published: bool = True


DEFAULT_VIEW = View()


def document(table: Table, view: View = DEFAULT_VIEW) -> Document:
    """``table`` as it is shown. Raises :class:`harness.UnknownNameError` for a column that does not exist."""
    chosen(view.columns)
    explanation = f"{EXPLANATION} {SIMULATED}" if "speed" in view.columns else EXPLANATION
    return Document(table.task, tuple(_part(section, view) for section in table.sections), table.remarks,
                    explanation if table.sections else "", "No records.")


def _part(section: Section, view: View) -> Part:
    scope = section.scope
    samples = "" if section.samples is None else f"{section.samples:,} samples. "
    lead = (f"{samples}Data {scope.fingerprint[:12]}, weights {scope.weights_hash[:12]}. "
            f"BOPs: convention {section.convention}.")
    sources = [f"Published [{number}]: {source}." for source, number in _sources(section).items()]
    beside = {id(figure) for cell in _cells(section) for figure in cell.published}
    left = {place(figure) for figure in section.published if id(figure) not in beside}
    apart = [figure for figure in section.published if place(figure) in left]
    aside = [published_grid(apart, (section.metric, *section.beside))] if apart else []
    numbered = view.published and "published" in (view.columns or DEFAULT)
    return Part(section.heading, grid(section, view), section.notices, lead,
                (*section.remarks, *sources) if numbered else section.remarks,
                tuple(aside) if view.published else ())


def _sources(section: Section) -> dict[str, int]:
    """A number for each publication with a figure beside a measured one, in the order of the lines."""
    found = dict.fromkeys(publication(figure) for cell in _cells(section) for figure in cell.published)
    return {source: number for number, source in enumerate(found, 1)}


def _cells(section: Section) -> list[Cell]:
    reference = [section.reference] if section.reference else []
    return [*reference, *(cell for _, cell in section.cells())]


def grid(section: Section, view: View = DEFAULT_VIEW) -> Grid:
    """The lines of a section: full precision first, then the methods, grouped."""
    context = Context(section, _sources(section) if view.published else {})
    names = view.columns or DEFAULT
    parts = [part for choice in chosen([name for name in names if view.published or name != "published"])
             for part in choice.columns(context)]
    columns = (Column("bits", "W/A"), Column("method", "method"), *(column for column, _ in parts))
    groups = tuple([tuple([_line(label, cell, parts) for label, cell in group])
                    for group in _groups(section, view.group_by)])
    made = Grid(columns, groups)
    return made if view.columns else without_empty(made, ("bits", "method", "metric"))


def _line(label: str, cell: Cell, parts: Sequence[tuple[Column, Content]]) -> Line:
    failed = "" if not cell.failed else " [failed]" if cell.value is None else (
        f" [{len(cell.failed)} of {len(cell.failed) + len(cell.seeds)} seeds failed]")
    return (cell.bits, f"{label}{failed}", *(content(cell, label) for _, content in parts))


def _groups(section: Section, group_by: GroupBy) -> Iterator[list[tuple[str, Cell]]]:
    if section.reference is not None:
        flag = " [FLAGGED]" if section.gate and section.gate.gate == "flagged" else ""
        yield [(f"full precision{flag}", section.reference)]
    cells = list(section.cells())
    if group_by == "bits":
        for _, group in groupby(cells, key=lambda pair: pair[1].bits):
            yield [(row.label, cell) for row, cell in group]
        return
    cells.sort(key=lambda pair: (pair[0].method, pair[0].label, bits_order(pair[1].bits)))
    for _, group in groupby(cells, key=lambda pair: pair[0].method):
        yield [(row.label, cell) for row, cell in group]
