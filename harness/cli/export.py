"""``harness export``: records as tables for other programs."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OptionError
from ..registry import registry
from ..results.frames import Frames
from ..results.storage import atomic
from ..results.storage.store import Store
from . import options as o
from .records import reading

if TYPE_CHECKING:
    import pandas as pd

Only = Annotated[str | None, typer.Option(help="Only these, comma-separated.")]
FRAMES = ("records", "metrics", "sites")


class Format(StrEnum):
    """How a frame is written."""

    parquet = "parquet"
    csv = "csv"


def export(output: Annotated[Path, typer.Option(help="Folder for the files: records, metrics and sites.")],
           form: Annotated[Format, typer.Option("--format", help="How to write them.")] = Format.parquet,
           frames: Annotated[str, typer.Option(help="Which of them, comma-separated. 'sites' reads every record whole.")
                             ] = ",".join(FRAMES),
           task: Only = None, model: Only = None, method: Only = None, bits: Only = None,
           results: o.Results = Path("results")) -> None:
    """Write records as Parquet or CSV: a line a record, a metric, a site of the model.

    \b
    harness export --output exported
    harness export --task imagenet --format csv --frames records --output exported
    """
    wanted = _words(frames) or []
    unknown = [name for name in wanted if name not in FRAMES]
    if unknown or not wanted:
        raise OptionError(f"--frames {frames}", f"Choose of: {', '.join(FRAMES)}")
    with reading() as read:
        entries = read.entries(Store(results), task=_words(task), model=_words(model), method=_words(method),
                               bits=_words(bits))
        made = Frames(entries, registry().ablations)
        for name in wanted:
            frame: pd.DataFrame = getattr(made, name)
            path = output / f"{name}.{form.value}"
            atomic.write_bytes(path, _parquet(frame) if form is Format.parquet else _csv(frame))
            typer.echo(f"{path}: {len(frame)} rows")


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
