"""``harness table``: the leaderboard of a task or suite, made from records and published rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import OptionError
from ..registry import Registry, registry
from ..report import terminal
from ..report.columns import COLUMNS, chosen
from ..report.leaderboard import View
from ..report.publications import published_rows as rows_of
from ..report.tables import AnyTable, document, render
from ..results.entry import Measured
from ..results.published import PublishedRow
from ..results.storage import atomic
from ..results.storage.store import Store
from ..results.tables.selection import Selection
from ..results.tables.suites import suite_table
from ..results.tables.table import build
from . import options as o
from .listing import warn_of_problems
from .records import Reading, reading


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    md = "md"
    csv = "csv"
    latex = "latex"
    html = "html"
    json = "json"


class GroupBy(StrEnum):
    """Which lines of a table stand together."""

    bits = "bits"
    method = "method"


def _list(help_: str, *names: str) -> typer.models.OptionInfo:
    return typer.Option(*names, help=f"{help_} [default: all]", show_default=False, rich_help_panel="Which records")


_SHOWN = "What is shown of them"


def table(task: Annotated[str, typer.Option(help="Task or suite. See: harness list tasks")],
          method: Annotated[str | None, _list("Methods, comma-separated; METHOD:ABLATION for one ablation.")] = None,
          bits: Annotated[str | None, _list("Bits, comma-separated, such as 4/4,8/8.")] = None,
          model: Annotated[str | None, _list("Models, comma-separated.")] = None,
          scale: Annotated[str | None, _list("mini or full.")] = None,
          ablations: Annotated[bool, typer.Option(
              "--ablations/--no-ablations", rich_help_panel="Which records",
              help="With the ablations of papers, or only those that --method names.")] = True,
          columns: Annotated[str | None, typer.Option(
              help=f"Columns, comma-separated: {', '.join(COLUMNS)}. [default: what the records have, but for gap and "
              "speed]", show_default=False, rich_help_panel=_SHOWN)] = None,
          group_by: Annotated[GroupBy, typer.Option(
              help="Rows of one bit-width together, best first, or all bit-widths of one method.",
              rich_help_panel=_SHOWN)] = GroupBy.bits,
          baseline: Annotated[str | None, typer.Option(
              help="Differences to this row, such as minmax, instead of to the best of the bit-width.",
              rich_help_panel=_SHOWN)] = None,
          convention: Annotated[str, typer.Option(help="How bit-operations are counted.",
                                                  rich_help_panel=_SHOWN)] = "plain",
          published: Annotated[bool, typer.Option(
              "--published/--no-published", help="With the figures that papers print, apart from the measured ones.",
              rich_help_panel=_SHOWN)] = True,
          form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.terminal,
          output: Annotated[Path | None, typer.Option(
              help="Write to this file. [default format: that of the ending .md, .csv, .tex, .html or .json]",
              show_default=False)] = None,
          check: Annotated[bool, typer.Option("--check", help="Exit with 1 if --output is not up to date.")] = False,
          results: o.Results = Path("results")) -> None:
    """Show measured results with their differences to full precision, and published ones beside.

    What does not compare (scale, model, data, weights, calibration size) is never in one section: the table splits, and
    says why. CSV and JSON have all columns.

    \b
    harness table --task imagenet
    harness table --task imagenet --method igqvit,ptqvit,minmax --bits 4/4 --columns metric,drop,difference,bops
    harness table --task imagenet --method qvit --group-by method --baseline lsq
    harness table --task imagenet --output results/imagenet.md
    """
    known = registry()
    warn_of_problems(known)
    _ = known.costs[convention]  # raises for an unknown name
    _ = known.suites[task] if task in known.suites else known.tasks[task]
    view = View(_names(columns), group_by.value, published)
    chosen(view.columns)
    selection = Selection(models=_names(model), scales=_names(scale), methods=_names(method), bits=_names(bits),
                          named_ablations=ablations)
    if task in known.suites and (view.columns or baseline or group_by is not GroupBy.bits):
        raise OptionError(f"{task} is a suite: its columns are its tasks, its rows are grouped by bits",
                          f"Leave out --columns, --group-by and --baseline, or give a task: "
                          f"{', '.join(known.suites[task].tasks)}")
    with reading() as read:
        made = _made(task, known, Store(results), read, selection, baseline, convention)
        if form is Format.terminal and output is None:
            terminal.show(Console(highlight=False, emoji=False), document(made, view), whole=bool(view.columns))
        else:
            _write(render(made, _format(form, output), view), output, check)


def print_tables(console: Console, store: Store, known: Registry, tasks: Sequence[str]) -> None:
    """The tables of ``tasks`` on a terminal."""
    read = Reading()
    for task in tasks:
        terminal.show(console, document(_made(task, known, store, read, Selection(), None, "plain")))


def published_rows(known: Registry) -> list[PublishedRow]:
    """The rows that papers print; a damaged file is warned of."""
    return rows_of(known, lambda problem: typer.secho(f"warning: {problem}", fg="yellow", err=True))


def _made(task: str, known: Registry, store: Store, read: Reading, selection: Selection, baseline: str | None,
          convention: str) -> AnyTable:
    def selected(tasks: Sequence[str]) -> list[Measured]:
        return selection.of(read.entries(store, task=tasks), known.ablations)

    if task in known.suites:
        suite = known.suites[task]
        return suite_table(suite, selected(suite.tasks), published_rows(known), known.ablations)
    return build(selected([task]), published_rows(known), task, baseline=baseline, convention=convention,
                 ablations=known.ablations)


def _write(text: str, output: Path | None, check: bool) -> None:
    if output is None:
        typer.echo(text, nl=False)
    elif not check:
        atomic.write_text(output, text)
    elif not output.exists() or output.read_text(encoding="utf-8") != text:
        typer.secho(f"{output} is not what the records give; write it anew without --check", fg="red", err=True)
        raise typer.Exit(1)


def _format(form: Format, output: Path | None) -> str:
    """The format that was asked for, or that of the file's ending."""
    if form is not Format.terminal or output is None:
        return form.value
    ending = output.suffix.removeprefix(".")
    wanted = "latex" if ending == "tex" else ending
    if wanted not in Format.__members__ or wanted == Format.terminal:
        raise OptionError(f"no format is known by the ending of {output}", "Give --format, or end it in .md, .csv, "
                          ".tex, .html or .json")
    return wanted


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
