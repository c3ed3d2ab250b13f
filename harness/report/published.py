"""Published figures that stand apart from the measured ones: one line a method and table of a paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..results.published import PublishedRow
from .grid import Column, Grid, Line, Value, without_empty

#: Above the figures of papers, in every format.
CAPTION = "Published, not measured here: what papers print, each with its own data, checkpoint and protocol"


def published_grid(rows: Iterable[PublishedRow], metrics: Sequence[str]) -> Grid:
    """The figures with a column for each of ``metrics`` that is printed, all others in one; ``?``: not legible."""
    lines: dict[tuple[str, ...], dict[str, PublishedRow]] = {}
    for row in rows:
        lines.setdefault(place(row), {})[row.metric] = row
    found = dict.fromkeys(metric for line in lines.values() for metric in line)
    columns = [name for name in metrics if name in found]
    further = [name for name in found if name not in columns]
    head = (Column("method", "method"), Column("bits", "bits"), Column("data", "data"),
            *(Column(name, name, "number") for name in columns), Column("further", "further figures"),
            Column("where", "where"), Column("note", "note"))
    body = tuple(_line(figures, columns, further) for figures in lines.values())
    return without_empty(Grid(head, (body,) if body else (), CAPTION))


def place(row: PublishedRow) -> tuple[str, ...]:
    """What the figures of one line share."""
    return row.method, row.bits, row.dataset, row.source, row.table, row.protocol


def where(row: PublishedRow) -> str:
    """Where a figure is printed."""
    return ", ".join(part for part in (row.source, row.table) if part)


def caveat(row: PublishedRow) -> str:
    """How a figure was measured, and what is wrong with it."""
    reason = f"{', '.join(row.flags)}: {row.note}" if row.flags else row.note
    return "; ".join(part for part in (row.protocol, reason) if part)


def _line(figures: Mapping[str, PublishedRow], columns: Sequence[str], further: Sequence[str]) -> Line:
    row = next(iter(figures.values()))
    others = ", ".join(f"{name} {value_text(figures[name])}" for name in further if name in figures)
    return (row.method, row.bits, row.dataset, *(value_text(figures.get(name)) for name in columns), others,
            where(row), notes_of(figures))


def notes_of(figures: Mapping[str, PublishedRow]) -> str:
    """The caveats of the figures of one line (name to figure), with the names of those that not all share."""
    said: dict[str, list[str]] = {}
    for name, figure in figures.items():
        if caveat(figure):
            said.setdefault(caveat(figure), []).append(name)
    return "; ".join(note if len(named) == len(figures) else f"{', '.join(named)}: {note}"
                     for note, named in said.items())


def value_text(figure: PublishedRow | None) -> Value:
    """The figure as it is printed."""
    if figure is None:
        return None
    return "?" if figure.value is None else f"{figure.value:g}"
