"""``harness plan``: what would run, what is already recorded, what is not possible and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..engine.plan import Planned, make_plan
from ..registry import registry
from ..results.storage.store import Store
from . import options as o
from .listing import warn_of_problems

_COLOURS = {"missing": "cyan", "recorded": "green", "failed": "red", "impossible": "yellow"}
_WORDS = {"impossible": "not possible"}


def plan(study_file: o.StudyFile = None, methods: o.Methods = None, task: o.Tasks = None, bits: o.EachBits = None,
         seeds: o.Seeds = None, scale: o.Scale = None, model: o.Model = None, data: o.Data = None,
         weights: o.Weights = None, assignments: o.Assignments = None, calibration: o.CalibrationSize = None,
         limit: o.Limit = None, budget: o.Budgets = None, results: o.Results = Path("results"), force: o.Force = False,
         debug: o.Debug = False,
         as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Say what run would do with the same options, without doing it."""
    known = registry()
    warn_of_problems(known)
    study = o.study_from(study_file, assignments, {
        "methods": methods, "task": task, "bits": bits, "seeds": seeds, "scale": scale, "model": model, "data": data,
        "weights": weights, "calibration": calibration, "limit": limit, "budget": budget, "results": str(results),
        "force": force or None, "debug": debug or None})
    planned = make_plan(study, known, Store(Path(study.results)))
    if as_json:
        typer.echo(json.dumps([_row(item) for item in planned], indent=2))
        return
    console = Console(emoji=False)  # "module:Class:" is no picture
    for notice in dict.fromkeys(item.run.task.notice for item in planned if item.run.task.notice):
        console.print(f"[bold yellow]{escape(notice)}[/bold yellow]")
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in ("task", "method", "bits", "budget", "seed", "model", "identity")
               if name not in ("task", "budget") or (name == "budget" and any(item.run.budget for item in planned))
               or (name == "task" and len({item.run.task.task for item in planned}) > 1)]
    for column in ("state", *columns):
        table.add_column(column, overflow="fold", no_wrap=column != "model")
    for item in planned:
        row, colour = _row(item), _COLOURS[item.state]
        cells = (escape(str(row[column])) for column in columns)
        table.add_row(f"[{colour}]{_WORDS.get(item.state, item.state)}[/{colour}]", *cells)
    console.print(table)
    for item in planned:
        if item.reason:
            console.print(f"- {escape(item.run.label)}: {_WORDS.get(item.state, item.state)}: {escape(item.reason)}")
    missing = sum(item.state == "missing" or (force and item.state == "recorded") for item in planned)
    console.print(f"{missing} of {len(planned)} runs to do")


def _row(item: Planned) -> dict[str, Any]:
    run = item.run
    return {"state": item.state, "task": f"{run.task.task} ({run.task.scale})", "model": run.task.model,
            "method": run.method, "bits": str(run.bits), "budget": run.budget, "seed": run.seed,
            "identity": run.identity, "why": item.reason}
