"""A document as Markdown (GitHub's tables)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .document import Document, Part
from .grid import Grid


def to_markdown(document: Document) -> str:
    """The whole document."""
    lines = [f"# {escape(document.title)}", ""]
    for remark in document.remarks:
        lines += [f"> {escape(remark)}", ""]
    for part in document.parts:
        lines += _part(part)
    if not document.parts:
        lines += [escape(document.empty), ""]
    if document.explanation:
        lines += ["## How to read it", "", escape(document.explanation), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _part(part: Part) -> Iterator[str]:
    yield from (f"## {escape(part.heading)}", "")
    for notice in part.notices:
        yield from (f"> **{escape(notice)}**", "")
    if part.lead:
        yield from (escape(part.lead), "")
    yield from (*grid_lines(part.grid), "")
    if part.notes:
        yield from (*(f"- {escape(note)}" for note in part.notes), "")
    for grid in part.aside:
        yield from (f"### {escape(grid.caption)}", "", *grid_lines(grid), "")


def grid_lines(grid: Grid) -> list[str]:
    """The lines of one table; number columns are aligned right."""
    marks = ["---:" if column.kind == "number" else "---" for column in grid.columns]
    return [_line(column.title for column in grid.columns), f"| {' | '.join(marks)} |",
            *(_line(line) for group in grid.texts() for line in group)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(escape, cells))} |"


_SPECIAL = re.compile(r"[\\|*`]")


def escape(text: str) -> str:
    """``text`` on one line, with nothing that Markdown or HTML would take for markup."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", plain)
