"""``harness report``: everything that is made from the records of a results folder, written or compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..registry import registry
from ..report import manifest
from ..report.drift import Drift, drifts, update
from ..report.publications import published_rows
from ..report.regenerate import Sources, drawn_with, regenerate
from ..results.claims.judge import claims_of, judge
from ..results.storage.store import Store
from . import options as o
from .listing import warn_of_problems
from .records import reading


def report(check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if something is not as the "
                                               "records have it.")] = False,
           results: o.Results = Path("results")) -> None:
    """Make the tables, claims, charts and index of a results folder from its records.

    They are listed in generated.sha256 of the folder; what somebody wrote beside them is never touched.

    \b
    harness report
    harness report --check        # in CI
    """
    known = registry()
    warn_of_problems(known)
    with reading() as read:
        entries = read.entries(Store(results))
        verdicts = judge(claims_of(known, read.warn), entries, known.ablations)
        sources = Sources(known, entries, published_rows(known, read.warn), verdicts)
        made = regenerate(sources, read.warn) if entries else {}
        if check:
            found = drifts(results, made, complete=read.complete)
            _print_drifts(found, results)
        else:
            found = update(results, made, drawn_with(), complete=read.complete)
            _print_changes(found, results)
        if not found and read.complete:
            typer.echo(f"{results}: {len(made)} files are as the {len(entries)} records have them")
        if found and check:
            raise typer.Exit(1)


def _print_drifts(found: Sequence[Drift], results: Path) -> None:
    for drift in found:
        typer.secho(f"{results / drift.path}: {drift.state}", fg="red", err=True)
        for line in drift.diff:
            typer.echo(f"  {line}", err=True)
    if found:
        typer.echo("Make it anew with harness report, look at the difference, and commit it", err=True)
    before = manifest.drawn_with(results)
    if any(drift.path.endswith(".svg") for drift in found) and before not in ("", drawn_with()):
        typer.echo(f"The charts were drawn with {before}; here is {drawn_with()}", err=True)


def _print_changes(found: Sequence[Drift], results: Path) -> None:
    for drift in found:
        done = {"missing": "new", "drifted": "changed", "left over": "removed"}[drift.state]
        if drift.state == "left over" and (results / drift.path).exists():
            done = "no record asks for it, but somebody changed it: remove it yourself"
        typer.echo(f"{results / drift.path}: {done}")
