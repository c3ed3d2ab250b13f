"""A section of a task's table as a leaderboard: every column that the table can have, to choose from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...results.entry import Measured
from ...results.statistics.differences import mean_sd
from ...results.tables.cells import Cell
from ...results.tables.table import Section
from ..columns import COLUMNS, DEFAULT, Content, Context, publication
from ..document import Part
from ..grid import Column as TableColumn
from ..grid import fixed
from .amounts import Amount, amounts
from .board import Board, BoardRow, Column, RowKind, Shown, bits_order
from .board import Cell as BoardCell
from .names import anchor, method_page, record_page


@dataclass(frozen=True)
class _Shown:
    """One column of the table: on the board, in the table, and what it says of a cell."""

    column: Column
    table: TableColumn
    content: Content


def section_board(section: Section, part: Part, records: Mapping[str, Measured], methods: Collection[str]) -> Board:
    """The leaderboard of ``section``, which ``part`` shows on paper.

    ``records`` by identity; ``methods``: those that have a page.
    """
    name = anchor(section.scope)
    cells = [(row.label, row.method, cell) for row, cell in section.cells()]
    if section.reference is not None:
        cells.insert(0, ("full precision", "", section.reference))
    columns = _columns(section, cells)
    more = list(amounts(section, [records[identity] for _, _, cell in cells for identity in cell.identities]))
    rows = []
    for label, method, cell in cells:
        key = cell.identities[0] if method else f"{name}-full"
        runs = [records[identity] for identity in cell.identities]
        kind: RowKind = "reference" if not method else "failed" if cell.value is None else "measured"
        page = f"../{method_page(method)}" if method in methods else None
        rows.append(BoardRow(key, cell.identities, kind, method, cell.bits, (
            [label, page], [cell.bits, bits_order(cell.bits)], *(_content(shown, cell, label) for shown in columns),
            *(_amount(amount, runs) for amount in more), [_run(run) for run in runs], ["#", f"#{key}"])))
    return Board(name, part, (_METHOD, _BITS, *(shown.column for shown in columns),
                              *(amount.column for amount in more), _RECORDS, _LINK), tuple(rows))


_METHOD = Column("method", "method", "link", "always", "The method, its ablation or options, and its training budget")
_BITS = Column("bits", "W/A", "number", "always", "Bits of weights and activations (and word embeddings)")
_RECORDS = Column("records", "records", "links", "wide", "Each run, by its seed")
_LINK = Column("link", "link", "link", "wide", "The address of this row")

#: Columns of which a larger number is better.
_HIGH = ("metric", "beside", "difference", "speed", "published")

#: What a column is sorted by that shows more than a number.
_SORTED: Mapping[str, Callable[[Cell], float | None]] = {
    "rank": lambda cell: cell.rank,
    "difference": lambda cell: cell.difference.value if cell.difference else 0.0 if cell.compared_with else None,
    "published": lambda cell: max((row.value for row in cell.published if row.value is not None), default=None)}


def _columns(section: Section, cells: Sequence[tuple[str, str, Cell]]) -> list[_Shown]:
    """The columns of the table that have something to say here."""
    sources = dict.fromkeys(publication(figure) for _, _, cell in cells for figure in cell.published)
    context = Context(section, {source: number for number, source in enumerate(sources, 1)})
    found = []
    for name, choice in COLUMNS.items():
        for column, content in choice.columns(context):
            shown: Shown = "always" if name == "metric" else "wide" if name in DEFAULT else "asked"
            about = Column(column.name, column.title, "number", shown, choice.summary[:1].upper() + choice.summary[1:],
                           "high" if name in _HIGH else "low")
            if any(content(cell, label) is not None for label, _, cell in cells):
                found.append(_Shown(about, column, content))
    return found


def _content(shown: _Shown, cell: Cell, label: str) -> BoardCell:
    if shown.column.name == "metric" and cell.failed:
        text = "failed" if cell.value is None else f"{fixed(cell.value, 2)} [{len(cell.failed)} failed]"
        return [text, cell.value]
    value = shown.content(cell, label)
    if value is None:
        return None
    order = _SORTED.get(shown.table.name)
    return [shown.table.show(value), order(cell) if order else None if isinstance(value, str) else value]


def _amount(amount: Amount, runs: Iterable[Measured]) -> BoardCell:
    known = [value for run in runs if run.status == "ok" and (value := amount.of(run)) is not None]
    if not known:
        return None
    mean = mean_sd(known)[0]
    return [fixed(mean, amount.digits), mean]


def _run(run: Measured) -> list[str]:
    return [f"s{run.asked.seed}" + ("" if run.status == "ok" else " failed"), f"../{record_page(run.identity)}"]
