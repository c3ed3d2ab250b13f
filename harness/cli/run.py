"""``harness run``: measure what a study asks for and what is not recorded yet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from ..engine.plan import Planned, make_plan
from ..engine.study import Study
from ..errors import OptionError
from ..registry import registry
from ..results.storage.store import Store
from . import options as o
from .errors import INTERRUPTED, USER_ERROR
from .listing import warn_of_problems
from .progress import TerminalProgress
from .table import print_tables

if TYPE_CHECKING:
    from ..engine.runner import Finished


def run(study_file: o.StudyFile = None, methods: o.Methods = None, task: o.Tasks = None, bits: o.EachBits = None,
        seeds: o.Seeds = None, scale: o.Scale = None, model: o.Model = None, data: o.Data = None,
        weights: o.Weights = None, assignments: o.Assignments = None, calibration: o.CalibrationSize = None,
        limit: o.Limit = None, budget: o.Budgets = None, results: o.Results = Path("results"), force: o.Force = False,
        batch_size: o.BatchSize = None, device: o.Device = None, threads: o.Threads = None,
        snapshot_seconds: o.SnapshotSeconds = None, timeout: o.Timeout = None,
        debug: o.Debug = False) -> None:
    """Run methods on a task, record each result, and show the table.

    Running the same command again does only what is missing. A run that fails is recorded with its
    reason and the others go on. Ctrl-C loses nothing that was finished, and training goes on where it was.

    \b
    harness run --methods igqvit,ptqvit,minmax --task imagenet --bits 4/4,6/6,8/8
    harness run --methods igqvit --task imagenet --data FOLDER --weights FILE --model deit_tiny_patch16_224
    harness run --methods lsq,qvit --task imagenet --bits 3/3 --budget 1ep
    harness run study.toml
    """
    known = registry()
    warn_of_problems(known)
    study = o.study_from(study_file, assignments, {
        "methods": methods, "task": task, "bits": bits, "seeds": seeds, "scale": scale, "model": model, "data": data,
        "weights": weights, "calibration": calibration, "limit": limit, "budget": budget, "results": str(results),
        "force": force or None, "batch_size": batch_size, "device": device, "threads": threads,
        "snapshot_seconds": snapshot_seconds, "timeout": timeout, "debug": debug or None})
    store = Store(Path(study.results))
    planned = make_plan(study, known, store)
    # Of several processes that train together, all but the first keep quiet.
    console = Console(highlight=False, emoji=False, quiet=os.environ.get("RANK", "0") != "0")
    for notice in dict.fromkeys(item.run.task.notice for item in planned if item.run.task.notice):
        console.print(f"[bold yellow]{escape(notice)}[/bold yellow]")
    try:
        outcomes = _execute(study, planned, store, console)
    except KeyboardInterrupt:
        typer.secho("interrupted: what was finished is recorded; the same command goes on from there", fg="yellow",
                    err=True)
        raise typer.Exit(INTERRUPTED) from None
    print_tables(console, store, known, study.task)
    where = "" if study.results == "results" else f" --results {study.results}"
    console.print(f"Records: {escape(str(store.folder))}. Again: harness table --task {study.task[0]}{escape(where)}")
    failures = [item for item in outcomes if item in ("failed", "impossible")]
    if failures:
        raise typer.Exit(USER_ERROR)


def _execute(study: Study, planned: list[Planned], store: Store, console: Console) -> Sequence[str]:
    states = ("missing", "failed", "recorded") if study.force else ("missing", "failed")
    to_do = [item for item in planned if item.state in states]
    if to_do:
        # Only now: a study with nothing left to measure needs no torch.
        import torch

        from ..engine.allocator import keep_freed_memory
        from ..engine.runner import Runner
        from ..training.processes import processes

        keep_freed_memory()
        if study.threads:
            torch.set_num_threads(study.threads)
        check_device(study.device)
        progress, together = TerminalProgress(console), processes(study.device)
        unfinished, own = store.unfinished_folder, tempfile.TemporaryDirectory()
        if not together.speaks:
            store = Store(own.name)
        runner = Runner(registry(), store, progress, progress.announce, study.force, together.device(study.device),
                        study.batch_size, study.snapshot_seconds, together, unfinished, study.timeout)
        console.print(f"{len(to_do)} of {len(planned)} runs to do")
        outcomes = []
        for number, finished in enumerate(runner.execute(planned), start=1):
            console.print(f"[{number}/{len(planned)}] {escape(finished.run.label)}: {_said(finished)}")
            outcomes.append(finished.outcome)
        own.cleanup()
        return outcomes
    console.print(f"Nothing to do: all {len(planned)} runs are recorded or not possible")
    return [item.state for item in planned]


def _said(finished: Finished) -> str:
    record = finished.record
    if finished.outcome in ("done", "recorded") and record is not None:
        seconds = sum(record.timings.values())
        when = "already recorded" if finished.outcome == "recorded" else f"{seconds:.1f} s"
        return f"{record.main_metric} {record.value:.2f}  ({when})"
    if finished.outcome == "failed" and record is not None and record.failure is not None:
        remedy = f" ({record.failure.remedy})" if record.failure.remedy else ""
        return f"[red]failed[/red] in {record.failure.phase}: {escape(record.failure.reason + remedy)}"
    if finished.outcome == "elsewhere":
        return "[yellow]another process is running it[/yellow]"
    return f"[yellow]not possible[/yellow]: {escape(finished.reason)}"


def check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}",
                          "Use --device cpu, or install a torch build for your device") from None

