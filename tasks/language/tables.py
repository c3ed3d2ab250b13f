"""GLUE in Hugging Face's forms: Parquet files, a folder written by ``save_to_disk``, or the hub itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import DataError

from .glue_tasks import GlueTask
from .split import GlueSplit, made_split

if TYPE_CHECKING:
    import pyarrow as pa

REPOSITORY = "nyu-mll/glue"


def parquet_split(folder: Path, name: str, task: GlueTask) -> GlueSplit | None:
    """The split ``name`` from ``name*.parquet`` in ``folder``, or in its subfolder ``data``; ``None`` without them."""
    import pyarrow.parquet as pq

    for place in (folder, folder / "data"):
        files = sorted([*place.glob(f"{name}.parquet"), *place.glob(f"{name}-*.parquet")])
        if files:
            return _split(name, task, files, pq.read_table)
    return None


def saved_split(folder: Path, name: str, task: GlueTask) -> GlueSplit | None:
    """The split ``name`` of a data set that ``datasets`` has saved in ``folder``; ``None`` if there is none."""
    import pyarrow as pa

    files = sorted((folder / name).glob("data-*.arrow"))
    return _split(name, task, files, lambda file: pa.ipc.open_stream(file.read_bytes()).read_all()) if files else None


def hub_split(name: str, task: GlueTask) -> GlueSplit:
    """The split ``name`` from the Hugging Face hub, downloaded where the cache of this machine lacks it.

    Raises :class:`harness.DataError` where it cannot be had.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataError("--data hub needs the package datasets",
                        "Install it with: pip install 'quantization-harness[language]'") from error
    try:
        found = load_dataset(REPOSITORY, task.config, split=name)
    except (OSError, ValueError, RuntimeError) as error:  # connection, unknown data set, a damaged cache
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{REPOSITORY} ({task.config}, {name}) cannot be had from the hub: {reason}",
                        "Check the network, or give --data FOLDER") from error
    return made_split(name, task, found, f"{REPOSITORY} ({task.config}, {name})")


def _split(name: str, task: GlueTask, files: Sequence[Path], read: Callable[[Path], pa.Table]) -> GlueSplit:
    tables = []
    for file in files:
        try:
            tables.append(read(file))
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these classes
            raise DataError(f"{file} cannot be read: {error}", "The file is damaged; get it again") from error
        missing = [column for column in task.columns if column not in tables[-1].column_names]
        if missing:
            raise DataError(f"{file} has no column {missing[0]!r}",
                            f"Give {REPOSITORY}'s own file of {task.title}; this one has "
                            f"{', '.join(tables[-1].column_names)}")
    return made_split(name, task, _rows(tables, (*task.columns, "label")), f"{files[0].parent} ({name})")


def _rows(tables: list[pa.Table], columns: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for table in tables:
        present = [column for column in columns if column in table.column_names]
        values = [table.column(column).to_pylist() for column in present]
        for row in zip(*values, strict=True):
            yield dict(zip(present, row, strict=True))
