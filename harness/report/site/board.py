"""A leaderboard as the page's script takes it: columns that can be chosen, rows that can be linked to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..document import Part

#: What a cell holds, by the kind of its column. ``text``: text. ``number``: the text shown, and the number that it
#: is sorted by. ``link``: text, and where it leads (``None``: nowhere). ``links``: several of these.
Kind = Literal["text", "number", "link", "links"]
#: ``always``; ``wide``: hidden on a phone; ``asked``: hidden until the reader chooses it.
Shown = Literal["always", "wide", "asked"]
#: What a row is.
RowKind = Literal["reference", "measured", "failed"]
#: A cell: ``None`` where nothing is known, else by its kind.
Cell = Any


@dataclass(frozen=True)
class Column:
    """One column. ``help`` says what stands in it; ``best``: which end of it comes first when it is sorted."""

    name: str
    title: str
    kind: Kind
    shown: Shown
    help: str = ""
    best: Literal["low", "high"] = "low"


@dataclass(frozen=True)
class BoardRow:
    """One row. ``key`` is the fragment that leads to it, and so is each of ``identities``.

    ``kind``: the full-precision row stays on top and is never filtered out. ``method`` and ``bits`` are filtered by.
    """

    key: str
    identities: tuple[str, ...]
    kind: RowKind
    method: str
    bits: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Board:
    """Rows that may be compared with one another. ``name``: unique in its page. ``part``: what is said around them."""

    name: str
    part: Part
    columns: tuple[Column, ...]
    rows: tuple[BoardRow, ...]

    @property
    def heading(self) -> str:
        """Its heading."""
        return self.part.heading

    @property
    def bits(self) -> tuple[str, ...]:
        """The bit-widths of the rows, in their order."""
        return tuple(dict.fromkeys(row.bits for row in self.rows if row.kind != "reference"))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the rows, sorted."""
        return tuple(sorted({row.method for row in self.rows if row.kind != "reference"}))


def script(boards: Sequence[Board]) -> str:
    """The rows of a page as a script, since a page that was opened from disk cannot fetch data."""
    data = [{"name": board.name, "columns": [asdict(column) for column in board.columns],
             "rows": [{**asdict(row), "bits": row.bits} for row in board.rows]} for board in boards]
    return f"window.harnessBoards = {json.dumps(data, separators=(',', ':'))};\n"


def bits_order(bits: str) -> int:
    """A number that sorts bit-widths: by weights, then activations, then word embeddings."""
    widths = [int(part) for part in bits.split("/")] + [0]
    return (widths[0] * 100 + widths[1]) * 100 + widths[2]
