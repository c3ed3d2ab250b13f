"""``harness claims``: what the records say of what papers claim."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ..registry import Registry, registry
from ..report.claim_lines import claim_lines
from ..report.claims import FORMATS
from ..results.claims.judge import Claim, claims_of, judge
from ..results.storage import atomic
from ..results.storage.store import Store
from . import options as o
from .listing import warn_of_problems
from .records import reading


class Format(StrEnum):
    """How the verdicts are written."""

    terminal = "terminal"
    md = "md"
    json = "json"


def claims(method: Annotated[str | None, typer.Option(
               help="Claims of this method's paper, or about it. [default: all]", show_default=False)] = None,
           task: Annotated[str | None, typer.Option(
               help="Claims about this task or suite. [default: all]", show_default=False)] = None,
           form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.terminal,
           output: Annotated[Path | None, typer.Option(help="Write to this file, as Markdown unless --format says "
                                                       "otherwise.")] = None,
           check: Annotated[bool, typer.Option("--check", help="Exit with 1 if --output is not up to date.")] = False,
           results: o.Results = Path("results")) -> None:
    """Hold what papers claim against the records: reproduced, not reproduced, undecided, or not tested.

    Each claim is judged wherever the runs that it is about are recorded; for the others the command is shown that makes
    them.

    \b
    harness claims
    harness claims --method qvit
    harness claims --output results/claims.md
    """
    known = registry()
    warn_of_problems(known)
    with reading() as read:
        wanted = _wanted(claims_of(known, read.warn), known, method, task)
        tasks = {each for claim in wanted for each in claim.task}
        methods = {operand.method for claim in wanted for operand in claim.operands}
        records = read.entries(Store(results), task=tasks, method=methods)
        verdicts = judge(wanted, records, known.ablations)
        if form is Format.terminal and output is None:
            console = Console(highlight=False, emoji=False)
            for line in claim_lines(verdicts, known):
                console.print(Text.assemble(*line), soft_wrap=True)
            return
        text = FORMATS["md" if form is Format.terminal else form.value](verdicts, known)
        if output is None:
            typer.echo(text, nl=False)
        elif not check:
            atomic.write_text(output, text)
        elif not output.exists() or output.read_text(encoding="utf-8") != text:
            typer.secho(f"{output} is not what the records give; write it anew without --check", fg="red", err=True)
            raise typer.Exit(1)


def _wanted(found: list[Claim], known: Registry, method: str | None, task: str | None) -> list[Claim]:
    """Raises :class:`harness.UnknownNameError` for a method or task that does not exist."""
    if method is not None:
        _ = known.methods[method]
        found = [claim for claim in found
                 if method == claim.source or method in {operand.method for operand in claim.operands}]
    if task is not None:
        tasks = set(known.suites[task].tasks if task in known.suites else (known.tasks[task].name,))
        found = [claim for claim in found if tasks & set(claim.task)]
    return found
