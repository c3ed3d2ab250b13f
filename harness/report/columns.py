"""The columns that a task's table can have, by the names that ``--columns`` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UnknownNameError
from ..results.published import PublishedRow
from ..results.tables.cells import Cell
from ..results.tables.table import Section
from .grid import Column, Value, signed
from .published import caveat, where

#: What a column says of a cell and its row's label.
Content = Callable[[Cell, str], Value]


@dataclass(frozen=True)
class Context:
    """What columns need besides the cell: its section, and the numbers of the publications noted under the grid."""

    section: Section
    notes: Mapping[str, int]


@dataclass(frozen=True)
class Choice:
    """One name of ``--columns``: its help, and the columns it stands for in a section."""

    summary: str
    columns: Callable[[Context], list[tuple[Column, Content]]]


def _number(name: str, content: Content, summary: str, *, heading: str = "", unit: str = "",
            digits: int = 2) -> tuple[str, Choice]:
    column = Column(name, heading or name, "number", unit, digits)
    return name, Choice(summary, lambda context: [(column, content)])


def _metric(context: Context) -> list[tuple[Column, Content]]:
    return [(Column("metric", context.section.metric, "number", digits=2), lambda cell, label: cell.value)]


def _beside(context: Context) -> list[tuple[Column, Content]]:
    return [(Column(name, name, "number", digits=2), lambda cell, label, name=name: cell.beside.get(name))  # type: ignore[misc]
            for name in context.section.beside]


def _published(context: Context) -> list[tuple[Column, Content]]:
    def content(cell: Cell, label: str) -> Value:
        found: dict[float, list[int]] = {}
        for row in cell.published:
            if row.value is not None:
                found.setdefault(row.value, []).append(context.notes[publication(row)])
        if len(found) > 2:  # full precision, of which every paper prints its own
            found_in = sorted({note for notes in found.values() for note in notes})
            return f"{min(found):g} to {max(found):g} {_numbers(found_in)}"
        return ", ".join(f"{value:g} {_numbers(sorted(set(notes)))}" for value, notes in found.items()) or None
    return [(Column("published", "published"), content)]


def _numbers(notes: Sequence[int]) -> str:
    """``[1-4,7]``."""
    runs: list[list[int]] = []
    for note in notes:
        if runs and runs[-1][-1] == note - 1:
            runs[-1].append(note)
        else:
            runs.append([note])
    return f"[{','.join(str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs)}]"


def _rank(cell: Cell, label: str) -> Value:
    return None if cell.rank is None else f"{cell.rank}{'=' if cell.tied else '.'}"


def _difference(cell: Cell, label: str) -> Value:
    if not cell.compared_with or cell.value is None:
        return None
    if cell.compared_with == label:
        return "compared to this"
    found = cell.difference
    return "not paired" if found is None else (
        f"{signed(found.value, 2)} [{signed(found.low, 2)}, {signed(found.high, 2)}]")


def _gap(cell: Cell, label: str) -> Value:
    return None if cell.difference is None else (cell.difference.high - cell.difference.low) / 2


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


COLUMNS: dict[str, Choice] = dict([
    _number("rank", _rank, "rank at these bits; = where rows share it"),
    ("metric", Choice("the main metric, mean over seeds", _metric)),
    ("beside", Choice("further metrics that the task shows", _beside)),
    _number("sd", lambda cell, label: cell.sd, "standard deviation over seeds, where there are several", heading="±"),
    _number("seeds", lambda cell, label: len(cell.seeds) if len(cell.seeds) > 1 else None,
            "number of seeds, where there are several", heading="n", digits=0),
    _number("drop", lambda cell, label: None if cell.is_reference else cell.drop,
            "measured full precision minus the metric"),
    _number("difference", _difference, "difference to the best (or to --baseline) with its 95 % interval"),
    _number("gap", _gap, "the smallest such difference that would not be a tie"),
    ("published", Choice("what papers print for this method, model and bits", _published)),
    _number("bops", lambda cell, label: _scaled(cell.bops, 1e9), "bit-operations of one sample, by --convention",
            heading="BOPs", unit="G", digits=3),
    _number("size", lambda cell, label: _scaled(cell.size, 1e6), "size of the model", unit="MB"),
    _number("time", lambda cell, label: None if cell.is_reference else cell.seconds,
            "what allocation, calibration and training took", unit="s", digits=0),
    _number("memory", lambda cell, label: _scaled(cell.memory, 2**20), "the most that the process has held",
            unit="MiB", digits=0),
    _number("speed", lambda cell, label: cell.speed, "of evaluation with simulated quantization, which says nothing "
            "about integer hardware", heading="simulated speed", unit="samples/s", digits=1),
])

#: Shown unless others are asked for; one that is empty in all lines of a section is left out.
DEFAULT = ("rank", "metric", "beside", "sd", "seeds", "drop", "difference", "published", "bops", "size", "time",
           "memory")


def publication(row: PublishedRow) -> str:
    """Where a figure is printed, how it was measured, and what is wrong with it."""
    return "; ".join(part for part in (where(row), caveat(row)) if part)


def chosen(names: Sequence[str]) -> list[Choice]:
    """The columns of these names. Raises :class:`harness.UnknownNameError`."""
    for name in names:
        if name not in COLUMNS:
            raise UnknownNameError("column", name, COLUMNS)
    return [COLUMNS[name] for name in names]
