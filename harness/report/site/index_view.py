"""What the first page says of each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .board import Board, BoardRow


@dataclass(frozen=True)
class Best:
    """The best row of a bit-width. ``tied``: others share its rank."""

    bits: str
    key: str
    label: str
    value: str
    tied: bool


@dataclass(frozen=True)
class SectionSummary:
    """A leaderboard in one line."""

    name: str
    heading: str
    rows: int
    metric: str
    full: str
    best: tuple[Best, ...]


def summary(board: Board) -> SectionSummary:
    """The line of ``board``."""
    columns = [column.name for column in board.columns]
    by = "metric" if "metric" in columns else next((name for name in columns if name.startswith("average-")), "")
    if not by:
        return SectionSummary(board.name, board.heading, len(board.rows), "", "", ())
    where, rank = columns.index(by), columns.index("rank") if "rank" in columns else None
    full = next((row.cells[where] for row in board.rows if row.kind == "reference"), None)
    best = [_best(row, where, rank) for bits in board.bits
            if (row := _first(board.rows, bits, where, rank)) is not None]
    return SectionSummary(board.name, board.heading, len(board.rows), board.columns[where].title,
                          full[0] if full else "", tuple(best))


def _first(rows: Sequence[BoardRow], bits: str, where: int, rank: int | None) -> BoardRow | None:
    """The best ranked row; of a suite, which has no ranks, the best row."""
    known = [row for row in rows if row.kind == "measured" and row.bits == bits and row.cells[where]]
    return max(known, key=lambda row: (rank is None or row.cells[rank] is not None, row.cells[where][1]), default=None)


def _best(row: BoardRow, where: int, rank: int | None) -> Best:
    tied = rank is not None and row.cells[rank] is not None and row.cells[rank][0].endswith("=")
    return Best(row.bits, row.key, row.cells[0][0], row.cells[where][0], tied)
