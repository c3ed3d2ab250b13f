"""The table of a suite as a document: tasks side by side, averages last."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from ..results.published import PublishedRow
from ..results.tables.suites import SuiteCell, SuiteSection, SuiteTable
from .document import Document, Part
from .grid import Column, Grid, Line, Value, fixed
from .published import CAPTION, notes_of, value_text, where

EXPLANATION = ("Each figure is the mean over seeds, ± their standard deviation with n seeds. A row has an average "
               "only where it has all of the average's columns. Published figures are never averaged or ranked with "
               "measured ones.")


def document(table: SuiteTable, published: bool = True) -> Document:
    """``table`` as it is shown; ``published``: with what papers print, apart."""
    return Document(table.suite, tuple(_part(section, published) for section in table.sections), table.remarks,
                    EXPLANATION if table.sections else "", "No records.")


def _part(section: SuiteSection, published: bool) -> Part:
    aside = (_published(section),) if published and section.published else ()
    return Part(section.heading, grid(section), aside=aside)


def grid(section: SuiteSection) -> Grid:
    """One line a method and bit-width, grouped by bits; full precision first."""
    columns = (Column("bits", "W/A"), Column("method", "method"),
               *(Column(name, name, "number", digits=2) for name in (*section.columns, *section.averages)))
    lines = [(row.bits, row.label, *(_value(row.cells.get(name)) for name in section.columns),
              *(row.averages.get(name) for name in section.averages)) for row in section.rows]
    return Grid(columns, tuple(tuple(group) for _, group in groupby(lines, key=lambda line: line[0])))


def _value(cell: SuiteCell | None) -> Value:
    if cell is None or cell.sd is None:
        return None if cell is None else cell.value
    return f"{fixed(cell.value, 2)} ± {fixed(cell.sd, 2)} (n={cell.seeds})"


def _published(section: SuiteSection) -> Grid:
    """One line a method, bit-width and table of a paper, with the suite's columns."""
    lines: dict[tuple[str, ...], dict[str, PublishedRow]] = {}
    for figure in section.published:
        place = (figure.bits, figure.method, where(figure), figure.protocol)
        lines.setdefault(place, {})[f"{figure.task}.{figure.metric}"] = figure
    names = {name for figures in lines.values() for name in figures}
    columns = [name for name in section.columns if name in names]
    columns += sorted(names - set(columns))
    head = (Column("bits", "W/A"), Column("method", "method"), *(Column(name, name, "number") for name in columns),
            Column("where", "where"), Column("note", "note"))
    return Grid(head, (tuple(_line(place, figures, columns) for place, figures in lines.items()),), CAPTION)


def _line(place: tuple[str, ...], figures: Mapping[str, PublishedRow], columns: list[str]) -> Line:
    return (place[0], place[1], *(value_text(figures.get(name)) for name in columns), place[2], notes_of(figures))


def tidy_grid(table: SuiteTable) -> Grid:
    """One line a number, averages too; numbers in full."""
    names = ("suite", "section", "method", "bits", "column", "value", "sd", "seeds")
    groups = []
    for section in table.sections:
        lines: list[Line] = []
        for row in section.rows:
            shared = (table.suite, section.heading, row.label, row.bits)
            lines += [(*shared, column, cell.value, cell.sd, cell.seeds) for column, cell in row.cells.items()]
            lines += [(*shared, name, value, None, None) for name, value in row.averages.items()]
        groups.append(tuple(lines))
    return Grid(tuple(Column(name, name) for name in names), tuple(groups))
