"""``harness compare``: what changed between two results folders, exports or commits."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..registry import registry
from ..report import terminal
from ..report.comparison import as_data, document
from ..report.json import to_json
from ..report.markdown import to_markdown
from ..results.compare import compare as changes_of
from ..results.entry import Measured
from ..results.exported import Exported, read_exported
from ..results.revision import records_at
from ..results.storage.store import Store
from ..results.tables.row_labels import RowLabels
from . import options as o
from .listing import warn_of_problems
from .records import Reading, reading


class Format(StrEnum):
    """How a comparison is written."""

    terminal = "terminal"
    md = "md"
    json = "json"


def compare(before: Annotated[str, typer.Argument(
                metavar="A", help="A results folder, a records.parquet of harness export, or a commit.")],
            after: Annotated[str, typer.Argument(metavar="B", help="The same of what it is compared with.")],
            fail_over: Annotated[float | None, typer.Option(
                metavar="GAP", min=0.0, help="Exit with 1 where a run's main metric is worse in B by more than GAP, on "
                "the same data, or a run fails that did not.", show_default=False)] = None,
            convention: Annotated[str, typer.Option(help="How bit-operations are counted.")] = "plain",
            form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.terminal,
            results: o.Results = Path("results")) -> None:
    """Show what changed from A to B: numbers of the same runs, runs that moved, and what only one of them has.

    A run moved where the same method, model, bits and seed was asked something else (data, options); what differs is
    named. Differences of code, dependencies and hardware are told apart, as far as the records' environments say.

    \b
    harness compare results ../other/results
    harness compare HEAD~1 HEAD               # commits: the records in --results at each
    harness compare main results --fail-over 0.3
    """
    known = registry()
    warn_of_problems(known)
    _ = known.costs[convention]  # raises for an unknown name
    with reading() as read:
        changes = changes_of(_records(before, results, read), _records(after, results, read))
        if form is Format.json:
            typer.echo(to_json(as_data(changes, before, after)), nl=False)
        else:
            labels = RowLabels(known.ablations)
            made = document(changes, before, after, lambda record: record.label if isinstance(record, Exported)
                            else labels.label(record), convention)
            if form is Format.md:
                typer.echo(to_markdown(made), nl=False)
            else:
                terminal.show(Console(highlight=False, emoji=False), made)
        worse = [] if fail_over is None else changes.worse(fail_over)
        if worse:
            typer.secho(f"{len(worse)} runs are worse by more than {fail_over:g}, or fail now", fg="red", err=True)
            raise typer.Exit(1)


def _records(source: str, results: Path, read: Reading) -> list[Measured]:
    """The records of a folder, an export or a commit; what cannot be read is warned of."""
    path = Path(source)
    if path.is_dir():
        return [*read.entries(Store(path))]
    if path.is_file():
        return [*read_exported(path)]
    records, unreadable = records_at(source, results)
    for error in unreadable:
        read.warn(error.message, error.remedy)
    return [*records]
