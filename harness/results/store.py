"""The results folder: one file a run, written once and whole.

``<folder>/records/<task>/<method>-<model>-<bits>-s<seed>-<identity>.json``; beside are leases
(``<folder>/leases``) and the snapshots of unfinished training (``<folder>/unfinished``). Folders of several
machines are merged by copying.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from . import atomic
from .lease import Holder, Lease, leases_lock, remove_stale
from .record import DamagedRecordError, Record


@dataclass(frozen=True)
class Unreadable:
    """A file in the store that holds no usable record, and why."""

    path: Path
    reason: str


class Store:
    """The records in ``folder`` (which need not exist yet)."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.records_folder = self.folder / "records"
        self.leases_folder = self.folder / "leases"
        self.unfinished_folder = self.folder / "unfinished"

    def get(self, identity: str) -> Record | None:
        """The record of a run; ``None`` where there is none.

        Raises :class:`DamagedRecordError` for a file that cannot be read, :class:`harness.StoreError` for one
        that only a newer harness reads.
        """
        path = self.find(identity)
        return None if path is None else read(path)

    def find(self, identity: str) -> Path | None:
        """The file of a run, readable or not."""
        return next(iter(self._files(f"-{identity}.json")), None)

    def put(self, record: Record, *, force: bool = False) -> Path:
        """Write ``record`` and say where.

        The record of a failure gives way to a later record of the same run; one that is ok does so only with
        ``force`` (else :class:`harness.StoreError`). A damaged file is kept beside as ``*.damaged``.
        """
        with leases_lock(self.leases_folder):
            path = self.find(record.identity) or self.path_of(record)
            try:
                existing = read(path) if path.exists() else None
            except DamagedRecordError:
                with atomic.store_errors(path):
                    path.replace(path.with_name(path.name + ".damaged"))
                existing = None
            if existing is not None and existing.status == "ok" and not force:
                raise StoreError(f"run {record.identity} is already recorded in {path}",
                                 "Use --force to replace the record")
            atomic.write_text(path, record.to_json())
            remove_stale(self.leases_folder)
        atomic.remove_leftovers(path.parent)
        return path

    def path_of(self, record: Record) -> Path:
        """Where a new record goes."""
        asked = record.asked
        name = _safe(f"{asked.method}-{asked.model}-{asked.bits.replace('/', '-')}-s{asked.seed}")
        return self.records_folder / _safe(asked.task) / f"{name}-{record.identity}.json"

    def scan(self) -> Iterator[Record | Unreadable]:
        """Every record, in the order of file names; a file that cannot be used is said, not raised."""
        for path in self.files():
            try:
                yield read(path)
            except StoreError as error:
                yield Unreadable(path, error.message)

    def records(self) -> tuple[list[Record], list[Unreadable]]:
        """The records, and the files that hold none."""
        found = list(self.scan())
        return ([item for item in found if isinstance(item, Record)],
                [item for item in found if isinstance(item, Unreadable)])

    def files(self) -> list[Path]:
        """The record files, sorted."""
        return sorted(self._files(".json"))

    def _files(self, ending: str) -> Iterator[Path]:
        """The files of that ending in the folders of the tasks; hidden ones belong to writers at work."""
        with atomic.store_errors(self.records_folder):
            if self.records_folder.is_dir():
                for folder in self.records_folder.iterdir():
                    if folder.is_dir():
                        yield from (folder / name for name in os.listdir(folder)
                                    if name.endswith(ending) and not name.startswith("."))

    def count(self, *, task: str = "*", method: str = "*") -> int:
        """How many runs of a task or method have a file, by its name; nothing is read."""
        with atomic.store_errors(self.records_folder):
            found = self.records_folder.glob(f"{task if task == '*' else _safe(task)}/{method}-*.json")
            return sum(not path.name.startswith(".") for path in found)

    @contextmanager
    def lease(self, identity: str) -> Iterator[bool]:
        """``True`` within the block for the one process that may compute the run, ``False`` for any other."""
        with self._lease(identity).take() as mine:
            yield mine

    def running(self, identity: str) -> Holder | None:
        """The living process that computes the run now, if one does."""
        return self._lease(identity).holder()

    def _lease(self, identity: str) -> Lease:
        return Lease(self.leases_folder / f"{identity}.lease")


def read(path: Path) -> Record:
    """The record in a file; raises as :meth:`Store.get` does."""
    with atomic.store_errors(path):
        content = path.read_bytes()
    record = Record.from_json(content, str(path))
    if not path.stem.endswith(record.identity):
        raise DamagedRecordError(f"{path}: the file is named after another run than {record.identity}",
                                 "Restore the file's name")
    return record


def _safe(text: str) -> str:
    """``text`` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip(".")[:100] or "_"
