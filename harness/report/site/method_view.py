"""What the page of a method shows."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...registry import Registry
from ...results.options_text import as_settings
from ...results.published import PublishedRow
from ...specs import MethodSpec
from ..grid import Grid
from ..published import published_grid
from .board import Board, BoardRow
from .names import task_page
from .option_rows import OptionRow, option_rows
from .readme import readme


@dataclass(frozen=True)
class MeasuredRow:
    """A row of a leaderboard, with the way there. ``texts``: column's name -> text."""

    label: str
    href: str
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """A method's rows in one section of a task. ``columns``: name -> title."""

    task: str
    heading: str
    columns: Mapping[str, str]
    rows: tuple[MeasuredRow, ...]


@dataclass(frozen=True)
class Ablation:
    """A switch of the paper: the command's word for it, and the options that it stands for."""

    name: str
    methods: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class MethodView:
    """A method's page. ``readme`` is HTML, made from Markdown."""

    spec: MethodSpec
    readme: str
    options: tuple[OptionRow, ...]
    ablations: tuple[Ablation, ...]
    measured: tuple[Measured, ...]
    published: Grid


def method_view(spec: MethodSpec, known: Registry, boards: Mapping[str, Sequence[Board]],
                published: Iterable[PublishedRow]) -> MethodView:
    """The page of ``spec``. ``boards``: task -> its leaderboards; ``published``: what papers print of all methods."""
    ablations = tuple(Ablation(name, shlex.quote(f"{spec.name}:{name}"), tuple(as_settings(options, spec.name)))
                      for name, options in spec.ablations.items())
    figures = published_grid((row for row in published if row.method.partition(":")[0] == spec.name), ())
    measured = [_measured(spec.name, task, board) for task, each in boards.items() for board in each]
    return MethodView(spec, readme(spec), tuple(option_rows(spec, known)), ablations,
                      tuple(section for section in measured if section.rows), figures)


_COLUMNS = ("bits", "metric", "rank", "drop", "difference")


def _measured(method: str, task: str, board: Board) -> Measured:
    columns = {column.name: column.title for column in board.columns
               if column.name in _COLUMNS or column.name.startswith("average-")}
    rows = tuple(_row(row, task, board, columns) for row in board.rows
                 if row.method == method and row.kind != "reference")
    return Measured(task, board.heading, columns, rows)


def _row(row: BoardRow, task: str, board: Board, columns: Mapping[str, str]) -> MeasuredRow:
    cells = dict(zip((column.name for column in board.columns), row.cells, strict=True))
    return MeasuredRow(cells["method"][0], f"../{task_page(task)}#{row.key}",
                       {name: "" if cells[name] is None else cells[name][0] for name in columns})
