"""The results folder: one file a run, written once and whole.

``<folder>/records/<task>/<method>-<model>-<bits>-s<seed>-<identity>.json``; beside are leases
(``<folder>/leases``), the snapshots of unfinished training (``<folder>/unfinished``) and the index
(``<folder>/index``). ``harness merge`` joins folders.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ...errors import StoreError
from ..checksum import sealed
from ..duplicates import distinct
from ..entry import Entry, Measured
from ..record import DamagedRecordError, Record
from ..record_file import Unreadable, file_name, read, read_in_place, safe
from . import atomic
from .index import Index
from .lease import Holder, Lease, leases_lock, remove_stale

__all__ = ["Filter", "Store", "Unreadable", "read"]

#: The values wanted; ``None``: all.
Filter = str | Collection[str] | None
Kind = TypeVar("Kind", bound=Measured)


class Store:
    """The records in ``folder`` (which need not exist yet)."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.records_folder = self.folder / "records"
        self.leases_folder = self.folder / "leases"
        self.unfinished_folder = self.folder / "unfinished"
        self._index = Index(self.folder / "index", self.records_folder)

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
            new = self.path_of(record)
            path = next(self._files(f"-{record.identity}.json", new.parent.name), new)
            try:
                existing = read(path) if path.exists() else None
            except DamagedRecordError:
                with atomic.store_errors(path):
                    path.replace(path.with_name(path.name + ".damaged"))
                existing = None
            if existing is not None and existing.status == "ok" and not force:
                raise StoreError(f"run {record.identity} is already recorded in {path}",
                                 "Use --force to replace the record")
            atomic.write_text(path, sealed(record.to_json()))
            remove_stale(self.leases_folder)
        atomic.remove_leftovers(path.parent)
        return path

    def path_of(self, record: Record) -> Path:
        """Where a new record goes."""
        return self.records_folder / safe(record.asked.task) / file_name(record)

    def entries(self, *, task: Filter = None, model: Filter = None, method: Filter = None,
                bits: Filter = None) -> tuple[list[Entry], list[Unreadable]]:
        """The records that every filter wants, light, by file name; and the files that hold none.

        They come from the index, which is brought up to date first; only the folders of the tasks that are wanted
        are looked at. Of two records of one run that do not agree both are among the unreadable.
        """
        wanted = {"task": task, "model": model, "method": method, "bits": bits}
        filters = {name: [values] if isinstance(values, str) else list(values)
                   for name, values in wanted.items() if values is not None}
        with atomic.store_errors(self.records_folder):
            folders = self._folders() if task is None else {safe(each) for each in filters["task"]}
            found, unreadable = self._index.entries(sorted(folders), filters)
        return _agreeing(found, lambda entry: entry.path, unreadable)

    def scan(self) -> Iterator[Record | Unreadable]:
        """Every record, in the order of file names; a file that cannot be used is said, not raised."""
        yield from map(_tried, self.files())

    def records(self) -> tuple[list[Record], list[Unreadable]]:
        """The records, and the files that hold none; see :meth:`entries`, which is much faster."""
        found: dict[Path, Record] = {}
        unreadable: list[Unreadable] = []
        for path in self.files():
            item = _tried(path)
            if isinstance(item, Record):
                found[path] = item
            else:
                unreadable.append(item)
        paths = {id(record): path for path, record in found.items()}
        return _agreeing(list(found.values()), lambda record: paths[id(record)], unreadable)

    def files(self) -> list[Path]:
        """The record files, sorted."""
        return sorted(self._files(".json"))

    def _files(self, ending: str, *only: str) -> Iterator[Path]:
        """The files of that ending in the folders of the tasks; hidden ones belong to writers at work."""
        with atomic.store_errors(self.records_folder):
            for folder in self._folders():
                if not only or folder in only:
                    place = self.records_folder / folder
                    yield from (place / name for name in os.listdir(place)
                                if name.endswith(ending) and not name.startswith("."))

    def _folders(self) -> list[str]:
        """The names of the folders of the tasks."""
        if not self.records_folder.is_dir():
            return []
        return [folder.name for folder in os.scandir(self.records_folder) if folder.is_dir()]

    def count(self, *, task: str = "*", method: str = "*") -> int:
        """How many runs of a task or method have a file, by its name; nothing is read."""
        with atomic.store_errors(self.records_folder):
            found = self.records_folder.glob(f"{task if task == '*' else safe(task)}/{method}-*.json")
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


def _tried(path: Path) -> Record | Unreadable:
    try:
        return read_in_place(path)
    except StoreError as error:
        return Unreadable(path, error.message, error.remedy)


def _agreeing(found: Sequence[Kind], path_of: Callable[[Kind], Path],
              unreadable: list[Unreadable]) -> tuple[list[Kind], list[Unreadable]]:
    """One record a run, in the order given; the files of runs whose records do not agree join ``unreadable``."""
    if len({record.identity for record in found}) == len(found):
        return list(found), unreadable
    kept, conflicts = distinct(found)
    good = set(map(id, kept))
    said = []
    for records in conflicts:
        first, *others = sorted(map(path_of, records))
        said.append(Unreadable(first, f"{first}: another result of run {records[0].identity} than "
                                      f"{', '.join(map(str, others))}; none of them is used",
                               "Remove the wrong one, or all and measure again"))
    return [record for record in found if id(record) in good], [*unreadable, *said]
