"""Progress of long work: a bar on a terminal, nothing but the run lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..engine.plan import Run


class TerminalProgress:
    """``with progress("evaluate", total) as advance: advance()``; also told of every phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._label = ""

    def announce(self, run: Run, phase: str) -> None:
        """Remember what is going on, for the bar's label."""
        self._label = f"{run.method} {run.bits} · {phase}"

    @contextmanager
    def __call__(self, what: str, total: int) -> Iterator[Callable[..., None]]:
        if not self._console.is_terminal:
            yield lambda text="": None
            return
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TimeRemainingColumn(), TextColumn("{task.fields[text]}"))
        with Progress(*columns, console=self._console, transient=True) as bar:
            detail = "" if self._label.endswith(what) else f" · {what}"
            task = bar.add_task(f"{self._label}{detail}", total=total, text="")
            yield lambda text="": bar.update(task, advance=1, text=text)
