"""The neutral table beneath every format: typed columns, groups of lines, values that are not yet text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

#: ``None``: nothing is known. Text stays text; a number is shown with its column's digits.
Value = str | float | None
Line = tuple[Value, ...]


@dataclass(frozen=True)
class Column:
    """One column. ``name`` is its key, ``heading`` what a reader sees, ``unit`` is written after it.

    A ``number`` column is aligned right; it may hold text where a number alone does not say it, such as an
    interval. ``digits``: decimals shown; ``None`` shows the shortest text that reads back as the same number.
    """

    name: str
    heading: str
    kind: Literal["text", "number"] = "text"
    unit: str = ""
    digits: int | None = None

    @property
    def title(self) -> str:
        """Heading and unit."""
        return f"{self.heading} ({self.unit})" if self.unit else self.heading

    def show(self, value: Value) -> str:
        """``value`` as text; minus zero is zero."""
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        return repr(value) if self.digits is None else fixed(value, self.digits)


@dataclass(frozen=True)
class Grid:
    """Lines in ``groups`` (one bit-width, one method, ...), each with a value for every column."""

    columns: tuple[Column, ...]
    groups: tuple[tuple[Line, ...], ...]
    caption: str = ""

    def texts(self) -> Iterator[list[list[str]]]:
        """The groups with every value as text."""
        show = [column.show for column in self.columns]
        for group in self.groups:
            yield [[shown(value) for shown, value in zip(show, line, strict=True)] for line in group]


def without_empty(grid: Grid, keep: Collection[str] = ()) -> Grid:
    """``grid`` without the columns that say nothing in any line, but for those to ``keep``."""
    lines = [line for group in grid.groups for line in group]
    shown = [number for number, column in enumerate(grid.columns)
             if column.name in keep or any([line[number] not in (None, "") for line in lines])]
    if len(shown) == len(grid.columns):
        return grid
    return replace(grid, columns=tuple([grid.columns[number] for number in shown]), groups=tuple([
        tuple([tuple([line[number] for number in shown]) for line in group]) for group in grid.groups]))


def fixed(value: float, digits: int) -> str:
    """``value`` with that many decimals, never ``-0.00``."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if text.startswith("-") and not text.strip("-0.") else text


def signed(value: float, digits: int) -> str:
    """The same with a sign in front of all but zero."""
    text = fixed(value, digits)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"
