"""A document as plain lines for a terminal, as wide as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console

from .document import Document, Part
from .grid import Grid

GAP = "  "
#: How narrow a text column may get, before columns at the right are left out.
NARROW = 16

#: A line, and how it stands out: ``bold``, ``dim`` or not at all.
Styled = tuple[str, str]


def show(console: Console, document: Document, *, whole: bool = False) -> None:
    """Print a document. ``whole``: see :func:`lines`."""
    for style, group in groupby(lines(document, console.width, whole=whole), key=lambda line: line[1]):
        text = "\n".join([line for line, _ in group])
        console.print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)


def lines(document: Document, width: int, *, whole: bool = False) -> Iterator[Styled]:
    """The lines of a document. ``whole``: no column is left out, however narrow the terminal."""
    for remark in document.remarks:
        yield from _plain([*_wrapped(remark, width), ""])
    for part in document.parts:
        yield part.heading, "bold"
        yield from _part(part, width, whole)
        yield "", ""
    if not document.parts:
        yield document.empty, ""
    if document.explanation:
        yield from ((line, "dim") for line in _wrapped(document.explanation, width))


def _part(part: Part, width: int, whole: bool) -> Iterator[Styled]:
    for text in (*part.notices, *([part.lead] if part.lead else [])):
        yield from _plain(_wrapped(text, width))
    yield from grid_lines(part.grid, width, whole=whole)
    for note in part.notes:
        yield from _plain(_wrapped(note, width, "- "))
    for grid in part.aside:
        yield from _plain(["", *_wrapped(grid.caption, width)])
        yield from grid_lines(grid, width, whole=True)


def grid_lines(grid: Grid, width: int, *, whole: bool = False) -> Iterator[Styled]:
    """The lines of a grid. Where it is too wide, long texts are folded, and then columns at the right left out."""
    groups = list(grid.texts())
    heads = [column.title for column in grid.columns]
    words = [max(heads[number].split(), key=len, default="") for number in range(len(heads))]
    need = [max(map(len, column)) for column in zip(words, *(line for group in groups for line in group), strict=True)]
    folds = [number for number, column in enumerate(grid.columns) if column.kind == "text" and need[number] > NARROW]
    count = len(need)
    while not whole and count > 3 and _least(need[:count], folds) > width:
        count -= 1
    least = NARROW // 2 if whole else NARROW
    widths = _fitted(need[:count], [number for number in folds if number < count], least, width)
    right = [column.kind == "number" for column in grid.columns[:count]]
    yield from ((line, "bold") for line in _folded(heads[:count], widths, right))
    for number, group in enumerate(groups):
        if number and len(groups) > 1:
            yield "", ""
        for line in group:
            yield from _plain(_folded(line[:count], widths, right))
    if count < len(need):
        left_out = f"(no room for: {', '.join(heads[count:])}; a wider terminal or another --format shows all)"
        yield from _plain(_wrapped(left_out, width))


def _plain(texts: Iterable[str]) -> Iterator[Styled]:
    return ((text, "") for text in texts)


def _least(need: Sequence[int], folds: Sequence[int]) -> int:
    return sum(NARROW if number in folds else size for number, size in enumerate(need)) + len(GAP) * (len(need) - 1)


def _fitted(need: Sequence[int], folds: Sequence[int], least: int, width: int) -> list[int]:
    """Widths that fit: the widest column that may be folded gives way first, down to ``least``."""
    widths = list(need)
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while over > 0 and any(widths[number] > least for number in folds):
        widest = max(folds, key=lambda number: widths[number])
        widths[widest] -= 1
        over -= 1
    return widths


def _folded(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    if all(len(text) <= size for text, size in zip(cells, widths, strict=True)):
        yield _aligned(cells, widths, right)
        return
    parts = [textwrap.wrap(text, size) or [""] if len(text) > size else [text]
             for text, size in zip(cells, widths, strict=True)]
    for number in range(max(map(len, parts))):
        yield _aligned([part[number] if number < len(part) else "" for part in parts], widths, right)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return GAP.join([text.rjust(size) if flush else text.ljust(size)
                     for text, size, flush in zip(cells, widths, right, strict=True)]).rstrip()


def _wrapped(text: str, width: int, start: str = "") -> list[str]:
    return textwrap.wrap(text, max(width, 40), initial_indent=start, subsequent_indent=" " * len(start))
