"""``harness table``: the leaderboard of a task, made from records and published rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import HarnessError
from ..registry import Registry, registry
from ..results import atomic
from ..results.published import PublishedRow, read_published
from ..results.record import Record
from ..results.render import FORMATS, long_grid, published_grid
from ..results.store import Store
from ..results.suite_render import SUITE_FORMATS, suite_grid
from ..results.suites import SuiteTable, suite_table
from ..results.tables import Section, build
from ..specs import MethodSpec, TaskSpec
from . import options as o
from .listing import warn_of_problems


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    md = "md"
    csv = "csv"
    json = "json"


def table(task: Annotated[str, typer.Option(help="Task. See: harness list tasks")],
          form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.terminal,
          baseline: Annotated[str | None, typer.Option(help="Compare with this row instead of the best.")] = None,
          convention: Annotated[str, typer.Option(help="How bit-operations are counted.")] = "plain",
          output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
          check: Annotated[bool, typer.Option("--check", help="Exit with 1 if --output is not up to date.")] = False,
          results: o.Results = Path("results")) -> None:
    """Show measured results with their differences to full precision, and published ones beside.

    \b
    harness table --task imagenet
    harness table --task imagenet --format md --output results/imagenet.md
    """
    known = registry()
    warn_of_problems(known)
    _ = known.costs[convention]  # raises for an unknown name
    _ = known.suites[task] if task in known.suites else known.tasks[task]
    store = Store(results)
    if form is Format.terminal and output is None:
        print_tables(Console(highlight=False), store, known, [task], baseline, convention)
        return
    wanted = (Format.md if form is Format.terminal else form).value
    if task in known.suites:
        text = SUITE_FORMATS[wanted](suite_table(known.suites[task], _records(store), published_rows(known),
                                                 known.ablations))
    else:
        text = FORMATS[wanted](build(_records(store), published_rows(known), task, baseline=baseline,
                                     convention=convention, ablations=known.ablations))
    if output is None:
        typer.echo(text, nl=False)
    elif check:
        if not output.exists() or output.read_text(encoding="utf-8") != text:
            typer.secho(f"{output} is not what the records give; write it anew without --check", fg="red", err=True)
            raise typer.Exit(1)
    else:
        atomic.write_text(output, text)


def print_tables(console: Console, store: Store, known: Registry, tasks: Sequence[str],
                 baseline: str | None = None, convention: str = "plain") -> None:
    """The tables of ``tasks`` on a terminal."""
    records = _records(store)
    published = published_rows(known)
    for task in tasks:
        if task in known.suites:
            _print_suite(console, suite_table(known.suites[task], records, published, known.ablations))
            continue
        made = build(records, published, task, baseline=baseline, convention=convention, ablations=known.ablations)
        for remark in made.remarks:
            console.print(f"[yellow]{escape(remark)}[/yellow]")
        for section in made.sections:
            _print_section(console, section)
        if not made.sections:
            console.print(f"No records of {task} in {escape(str(store.folder))}. Make some: "
                          f"harness run --methods minmax --task {task}")


def published_rows(known: Registry) -> list[PublishedRow]:
    """The rows that papers print, from every method and task that brings some; a damaged file is warned of."""
    rows: list[PublishedRow] = []
    specs: list[MethodSpec | TaskSpec] = [*known.methods.values(), *known.tasks.values()]
    for spec in specs:
        try:
            rows += read_published(known.published(spec), _source(spec))
        except (HarnessError, OSError) as error:
            typer.secho(f"warning: published rows of {spec.name}: {error}", fg="yellow", err=True)
    names = {name: task.paper_names for name, task in known.tasks.items()}
    return [replace(row, model=names.get(row.task, {}).get(row.model, row.model)) for row in rows]


def _source(spec: MethodSpec | TaskSpec) -> str:
    """How a published figure names its paper."""
    if isinstance(spec, MethodSpec) and spec.paper:
        return f"{spec.paper.authors.split(',')[0].split(' et al')[0]} et al., {spec.paper.venue} {spec.paper.year}"
    return spec.name


def _records(store: Store) -> list[Record]:
    records, unreadable = store.records()
    for item in unreadable:
        typer.secho(f"warning: {item.reason}", fg="yellow", err=True)
    return records


def _print_section(console: Console, section: Section) -> None:
    console.print(f"\n[bold]{escape(section.heading)}[/bold]")
    console.print(_rich(*long_grid(section)))
    console.print(escape(section.explanation), style="dim")
    for remark in section.remarks:
        console.print(f"- {escape(remark)}")
    if section.published:
        console.print("\n[bold]Published, not measured here[/bold]")
        console.print(_rich(*published_grid(section.published)))


def _print_suite(console: Console, made: SuiteTable) -> None:
    for section in made.sections:
        console.print(f"\n[bold]{escape(section.heading)}[/bold]")
        console.print(_rich(*suite_grid(section)))
    for remark in made.remarks:
        console.print(f"- {escape(remark)}")


def _rich(head: list[str], body: list[list[str]]) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        drawn.add_column(escape(name), overflow="fold", no_wrap=number < 2)
    for row in body:
        drawn.add_row(*map(escape, row))
    return drawn
