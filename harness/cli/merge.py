"""``harness merge``: join results folders, of several machines or people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DataError
from ..results.storage.merge import merge as merged
from ..results.storage.store import Store
from . import options as o
from .records import reading


def merge(folders: Annotated[list[Path], typer.Argument(help="Results folders to take records from.")],
          results: o.Results = Path("results")) -> None:
    """Copy the records of other results folders into this one; where two do not agree, both are named and none is lost.

    \b
    harness merge ../machine-2/results ../machine-3/results
    """
    with reading() as read:
        for folder in folders:
            source = Store(folder)
            if not source.records_folder.is_dir():
                raise DataError(f"no records in {folder}", "Name a results folder: one with a folder 'records'")
            done = merged(source, Store(results))
            for item in done.left_out:
                read.warn(item.reason, item.remedy)
            typer.echo(f"{folder}: {len(done.added)} added, {len(done.known)} known, {len(done.left_out)} left out")
