"""``harness plot``: pictures made from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import DataError, OptionError, UnknownNameError
from ..registry import registry
from ..report.charts import CHARTS, NamedChart
from ..report.charts.images import Format, rendered
from ..results.storage import atomic
from ..results.storage.store import Store
from ..results.tables.selection import Selection
from . import options as o
from .listing import warn_of_problems
from .records import reading


def _filter(help_: str) -> typer.models.OptionInfo:
    return typer.Option(help=f"{help_} [default: all]", show_default=False, rich_help_panel="Which records")


def plot(kind: Annotated[str | None, typer.Argument(help="Kind of chart. See: harness plot --list",
                                                    show_default=False)] = None,
         task: Annotated[str | None, typer.Option(help="Task or suite. See: harness list tasks",
                                                  show_default=False)] = None,
         method: Annotated[str | None, _filter("Methods, comma-separated; METHOD:ABLATION for one ablation.")] = None,
         bits: Annotated[str | None, _filter("Bits, comma-separated, such as 4/4,8/8.")] = None,
         model: Annotated[str | None, _filter("Models, comma-separated.")] = None,
         scale: Annotated[str | None, _filter("mini or full.")] = None,
         ablations: Annotated[bool, typer.Option(
             "--ablations/--no-ablations", rich_help_panel="Which records",
             help="With the ablations of papers, or only those that --method names.")] = True,
         convention: Annotated[str, typer.Option(help="How bit-operations and sizes are counted.")] = "plain",
         output: Annotated[Path, typer.Option(
             help="A folder for all charts, or the file of a single one (.svg, .png, or .json for Vega-Lite).")] = Path(
                 "plots"),
         form: Annotated[Format, typer.Option("--format", help="How to write charts into a folder.")] = Format.svg,
         kinds: Annotated[bool, typer.Option("--list", help="List the kinds of charts.")] = False,
         results: o.Results = Path("results")) -> None:
    """Draw charts of measured results, one for each section of records that compare.

    \b
    harness plot accuracy-bops --task imagenet
    harness plot accuracy-bits --task imagenet --scale full --output deit.svg
    harness plot allocation --task imagenet --method qvit --bits 3/3 --format png
    """
    if kinds:
        _list(Console(highlight=False, emoji=False))
        return
    if kind is None or task is None:
        raise OptionError("say which kind of chart, and of which task",
                          f"harness plot accuracy-bops --task imagenet; kinds: {', '.join(CHARTS)}")
    if kind not in CHARTS:
        raise UnknownNameError("kind of chart", kind, CHARTS)
    known = registry()
    warn_of_problems(known)
    _ = known.costs[convention]  # raises for an unknown name
    tasks = known.suites[task].tasks if task in known.suites else (known.tasks[task].name,)
    selection = Selection(models=_names(model), scales=_names(scale), methods=_names(method), bits=_names(bits),
                          named_ablations=ablations)
    with reading() as read:
        entries = read.entries(Store(results), task=tasks)
        records = selection.of(entries, {name: known.ablations.get(name, {}) for name in known.methods})
        charts = CHARTS[kind].build(records, convention=convention, ablations=known.ablations)
        if not charts:
            raise DataError(f"no record of {task} that was asked for has what the chart {kind} draws",
                            CHARTS[kind].needs)
        for path, chart in _files(charts, output, form):
            atomic.write_bytes(path, rendered(chart, Format(path.suffix[1:].lower())))
            typer.echo(path)


def _files(charts: Sequence[NamedChart], output: Path, form: Format) -> list[tuple[Path, NamedChart]]:
    """Where each chart goes; raises :class:`harness.OptionError` for several in one file."""
    if not output.suffix or output.is_dir():
        return [(output / f"{chart.name}.{form.value}", chart) for chart in charts]
    if output.suffix[1:].lower() not in Format.__members__:
        raise OptionError(f"no picture is written to a file such as {output.name}",
                          f"End it in {', '.join(f'.{ending}' for ending in Format)}, or name a folder")
    if len(charts) > 1:
        raise OptionError(f"{len(charts)} charts do not fit into {output.name}: "
                          f"{', '.join(chart.name for chart in charts)}",
                          "Narrow them with --scale, --model, --method and --bits, or let --output be a folder")
    return [(output, charts[0])]


def _list(console: Console) -> None:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("kind", no_wrap=True)
    drawn.add_column("what it shows")
    for name, kind in CHARTS.items():
        drawn.add_row(name, escape(kind.summary))
    console.print(drawn)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
