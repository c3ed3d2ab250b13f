"""Reading records for a command: what cannot be used is named, and the command ends with exit code 1.

.. code-block:: python

    with reading() as read:
        entries = read.entries(Store(results), task=task)
        ...  # render what there is
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import typer

from ..results.entry import Entry
from ..results.storage.store import Store

#: Exit code of a command that did its work, with records missing.
INCOMPLETE = 1


class Reading:
    """What a command has read so far; ``complete`` until a file could not be used, or a folder was empty."""

    def __init__(self) -> None:
        self.complete = True

    def entries(self, store: Store, *, task: str | Collection[str] | None = None,
                model: str | Collection[str] | None = None, method: str | Collection[str] | None = None,
                bits: str | Collection[str] | None = None) -> list[Entry]:
        """The records of the store with one of the values of each filter (``None``: all), by file name.

        Each file that cannot be used is named on the standard error stream, with what to do; so is a folder
        without records.
        """
        entries, unreadable = store.entries(task=task, model=model, method=method, bits=bits)
        for item in unreadable:
            self.warn(item.reason, item.remedy)
        if not entries and not unreadable and not store.files():
            self.warn(f"no records in {store.folder}", "Make some: harness run; or name their folder: --results")
        return entries

    def warn(self, message: str, remedy: str = "") -> None:
        """Name what is left out on the standard error stream, and remember it."""
        self.complete = False
        typer.secho(f"warning: {message}", fg="yellow", err=True)
        if remedy:
            typer.echo(f"  {remedy}", err=True)


@contextmanager
def reading() -> Iterator[Reading]:
    """Read records within the block; at its end leave with code 1 if something was left out."""
    read = Reading()
    yield read
    if not read.complete:
        raise typer.Exit(INCOMPLETE)
