"""``harness list``: what the installed plugins contribute."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..discovery import strict
from ..registry import Registry, installed, registry
from ..results.storage.store import Store
from ..specs import Spec
from .errors import USER_ERROR
from .options import Results


class Kind(StrEnum):
    """What can be listed."""

    methods = "methods"
    tasks = "tasks"
    quantizers = "quantizers"
    searches = "searches"
    losses = "losses"
    plugins = "plugins"


def listing(kind: Annotated[Kind, typer.Argument(help="What to list.")],
            as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
            results: Results = Path("results")) -> None:
    """List methods, tasks, quantizers, searches, losses or plugins."""
    known = installed() if kind is Kind.plugins else registry()  # the list says what strict mode refuses
    rows = _rows(known, kind, Store(results))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif not rows:
        Console(emoji=False).print(f"No {kind.value} are contributed by the installed plugins.")
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in rows[0]:
            table.add_column(column, overflow="fold", no_wrap=column == "name")
        for row in rows:
            table.add_row(*map(escape, row.values()))
        Console(emoji=False).print(table)
    if not as_json:
        warn_of_problems(known)
    if strict() and known.problems:
        raise typer.Exit(USER_ERROR)


def warn_of_problems(known: Registry) -> None:
    """One line on stderr for each plugin that could not be used."""
    for problem in known.problems:
        typer.secho(f"warning: {problem}", fg="yellow", err=True)


def _rows(known: Registry, kind: Kind, store: Store) -> list[dict[str, str]]:
    if kind is Kind.plugins:
        return [{"name": p.name, "version": p.version, "distribution": p.distribution, "api": p.api or "not declared",
                 "source": p.path or p.module, "status": p.problem or "ok"} for p in known.plugins]
    if kind is Kind.methods:
        return [{"name": m.name, "summary": m.summary,
                 "bits (W, A)": f"{m.weight_bits}, {m.activation_bits}" if m.paper else "",
                 "paper": f"{m.paper.venue} {m.paper.year}" if m.paper else "",
                 "recorded": str(store.count(method=m.name))} for m in known.methods.values()]
    if kind is Kind.tasks:
        return [{"name": t.name, "summary": t.summary, "metric": t.metric,
                 "mini models": ", ".join(t.models.get("mini", ())),
                 "recorded": str(store.count(task=t.name))} for t in known.tasks.values()] + [
                {"name": s.name, "summary": f"{s.summary}: {', '.join(s.tasks)}", "metric": ", ".join(s.averages),
                 "mini models": "", "recorded": str(sum(store.count(task=task) for task in s.tasks))}
                for s in known.suites.values()]
    others: dict[Kind, list[Spec]] = {Kind.quantizers: [*known.quantizers.values()],
                                      Kind.searches: [*known.searches.values()], Kind.losses: [*known.losses.values()]}
    return [{"name": spec.name, "summary": spec.summary} for spec in others[kind]]
