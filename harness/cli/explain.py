"""``harness explain``: everything about one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DataError
from ..results.explain import explain as text_of
from ..results.record_file import read
from ..results.storage.store import Store
from . import options as o


def explain(record: Annotated[str, typer.Argument(help="An identity (or its beginning), or the path of a record.")],
            results: o.Results = Path("results")) -> None:
    """Print what was asked, measured and really quantized, and how to repeat it."""
    typer.echo(text_of(read(record_path(record, results))), nl=False)


def record_path(record: str, results: Path) -> Path:
    path = Path(record)
    if path.suffix == ".json" and path.exists():
        return path
    matches = [file for file in Store(results).files() if file.stem.rpartition("-")[2].startswith(record)]
    if len(matches) != 1:
        found = f"{len(matches)} records begin with {record!r}" if matches else f"no record {record!r} in {results}"
        raise DataError(found, "Give an identity as harness plan or harness table --format json show it, or a path")
    return matches[0]
