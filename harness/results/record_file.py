"""One record's file: where it lies, and what may be wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .record import DamagedRecordError, Record
from .storage import atomic


@dataclass(frozen=True)
class Unreadable:
    """A file in the store that holds no usable record: why (``reason`` names the file), and what to do."""

    path: Path
    reason: str
    remedy: str = ""


def read(path: Path) -> Record:
    """The record in a file.

    Raises :class:`DamagedRecordError` for a file that cannot be read or is named after another run, and
    :class:`harness.StoreError` for one that only a newer harness reads.
    """
    with atomic.store_errors(path):
        content = path.read_bytes()
    record = Record.from_json(content, str(path))
    if not path.stem.endswith(record.identity):
        raise DamagedRecordError(f"{path}: the file is named after another run than {record.identity}",
                                 f"Restore the file's name: {file_name(record)}")
    return record


def read_in_place(path: Path) -> Record:
    """The record in a file of a results folder; also raises for one that lies in another task's folder."""
    record = read(path)
    if path.parent.name != safe(record.asked.task):
        raise DamagedRecordError(f"{path}: a record of task {record.asked.task} in the folder of another",
                                 f"Move it to {path.parents[1] / safe(record.asked.task)}")
    return record


def file_name(record: Record) -> str:
    """The name of a record's file."""
    asked = record.asked
    start = safe(f"{asked.method}-{asked.model}-{asked.bits.replace('/', '-')}-s{asked.seed}")
    return f"{start}-{record.identity}.json"


def safe(text: str) -> str:
    """``text`` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip(".")[:100] or "_"
