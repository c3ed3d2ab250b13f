"""A section of a suite's table as a leaderboard: the tasks side by side."""

from __future__ import annotations

from collections.abc import Collection

from ...results.identity import digest
from ...results.tables.suites import FULL_PRECISION_LABEL, SuiteRow, SuiteSection
from ..document import Part
from ..grid import fixed
from .board import Board, BoardRow, Column, bits_order
from .board import Cell as BoardCell
from .names import method_page


def suite_board(section: SuiteSection, part: Part, methods: Collection[str]) -> Board:
    """The leaderboard of ``section``, which ``part`` shows on paper; ``methods``: those that have a page."""
    name = "s-" + digest(section.heading)[:8]
    columns = (Column("method", "Method", "link", "always", "The method, its ablation or options, and its budget"),
               Column("bits", "W/A", "number", "always", "Bits of weights and activations (and word embeddings)"),
               *(Column(f"average-{average}", average, "number", "always", "Mean of the average's columns", "high")
                 for average in section.averages),
               *(Column(column, column, "number", "wide", "Mean over seeds", "high") for column in section.columns),
               Column("link", "Link", "link", "wide", "The address of this row"))
    rows = tuple(_row(name, section, row, methods) for row in section.rows)
    return Board(name, part, columns, rows)


def _row(board: str, section: SuiteSection, row: SuiteRow, methods: Collection[str]) -> BoardRow:
    key = f"{board}-{digest([row.label, row.bits])[:8]}"
    method = row.label.partition(":")[0].partition(" ")[0].partition(",")[0]
    cells: list[BoardCell] = [[row.label, f"../{method_page(method)}" if method in methods else None],
                              [row.bits, bits_order(row.bits)]]
    cells += [None if value is None else [fixed(value, 2), value]
              for value in (row.averages.get(name) for name in section.averages)]
    for column in section.columns:
        cell = row.cells.get(column)
        spread = "" if cell is None or cell.sd is None else f" ± {fixed(cell.sd, 2)}"
        cells.append(None if cell is None else [fixed(cell.value, 2) + spread, cell.value])
    return BoardRow(key, (), "reference" if row.label == FULL_PRECISION_LABEL else "measured", method, row.bits,
                    (*cells, ["#", f"#{key}"]))
