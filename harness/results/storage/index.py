"""The index: what tables need of every record, in one SQLite file beside the records.

SQLite, because a table reads few of many rows, several processes may write, and a kill must not matter; and it comes
with Python. The index is only ever a copy. Each look at it lists the record files and reads those that are new or
changed (by size, times and inode, as git does). It is made anew where it is damaged or of another version, and in
memory where the folder cannot be written.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ... import __version__
from ...errors import StoreError
from ..entry import Entry
from ..migrations import SCHEMA_VERSION
from ..parts import Parts
from ..record_file import Unreadable, read_in_place
from . import atomic
from .index_rows import COLUMNS, SETTING, Interned, entries_of, row_of, settings_of, unreadable_row
from .locking import folder_lock

#: Raise it when the tables of the index change. Another version of the harness or of records counts as well.
INDEX_VERSION = 2
_VERSION = f"{INDEX_VERSION}/{SCHEMA_VERSION}/{__version__}"
#: Records between two commits: what a kill can cost.
_BATCH = 500
#: Nanoseconds within which a file can change again without its times telling.
_TICK = 50_000_000
#: Seconds to wait for another process that is in the midst of a commit.
_PATIENCE = 60.0

_TABLES = f"""
BEGIN;
CREATE TABLE part (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE setting (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, {", ".join(SETTING)});
CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, folder BLOB NOT NULL, name BLOB NOT NULL,
                    stamp TEXT NOT NULL, {", ".join(COLUMNS)}, UNIQUE (folder, name));
CREATE TABLE samples (entry INTEGER PRIMARY KEY, raw BLOB NOT NULL);
CREATE TABLE version (text TEXT NOT NULL);
INSERT INTO version VALUES ('{_VERSION}');
COMMIT;
"""

#: Folder of a task -> name of a record file -> stamp, which is another when the file was changed.
Files = Mapping[bytes, Mapping[bytes, str]]
#: Column -> the values wanted.
Filters = Mapping[str, Collection[str]]
Found = tuple[list[Entry], list[Unreadable]]


class Index:
    """The index of the record files in the folders within ``records``, kept in ``folder``."""

    def __init__(self, folder: Path, records: Path) -> None:
        self.path = folder / "records.sqlite"
        self._records = records

    def entries(self, folders: Sequence[str], filters: Filters) -> Found:
        """The entries in ``folders`` whose columns have one of the values of ``filters``, by folder and file name.

        A file without a usable record is said whatever ``filters`` are.
        """
        files = self._files(folders)
        if not any(files.values()) and not self.path.exists():
            return [], []  # looking at an empty folder makes no files
        try:
            return self._on_disk(folders, files, filters)
        except StoreError:  # cannot be written, or not enough space
            memory = sqlite3.connect(":memory:", isolation_level=None)
            memory.executescript(_TABLES)
            self._read_changed(memory, files)
            return self._look(memory, files, filters)

    def _on_disk(self, folders: Sequence[str], files: Files, filters: Filters) -> Found:
        found = self._current(files, filters)
        if found is not None:
            return found
        for anew in (False, True):
            with suppress(sqlite3.Error), self._locked():
                # Listed again: what others indexed while this process waited must not be taken for gone.
                files = self._files(folders)
                self._update(files, anew)
                return self._look(self._reader(), files, filters)
        raise StoreError(f"cannot use {self.path}")

    def _current(self, files: Files, filters: Filters) -> Found | None:
        """What the index says, if it is that of ``files``; what is wrong with it is seen to with the lock held."""
        if not self.path.exists():
            return None
        connection = self._reader()
        try:
            connection.execute("BEGIN")  # so that nothing comes between the two looks
            if _version(connection) == _VERSION and _known(connection, files) == files:
                found = self._look(connection, files, filters)
                connection.execute("COMMIT")
                return found
        except sqlite3.Error:
            pass
        connection.close()
        return None

    def _files(self, folders: Sequence[str]) -> Files:
        return {os.fsencode(folder): _files(self._records / folder) for folder in sorted(folders)}

    def _reader(self) -> sqlite3.Connection:
        """A connection that cannot write: it may stay open while another process makes the file anew."""
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None,
                               timeout=_PATIENCE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one to write the index, and keep its folder out of the repository of the records."""
        folder = self.path.parent
        with folder_lock(folder):
            if not (folder / ".gitignore").exists():
                atomic.write_text(folder / ".gitignore", "*\n")
            yield

    def _update(self, files: Files, anew: bool) -> None:
        if anew:
            for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
                path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=_PATIENCE)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                connection.executescript(_TABLES)
            if _version(connection) != _VERSION:
                raise sqlite3.DatabaseError("an index of another version")
            self._read_changed(connection, files)

    def _read_changed(self, connection: sqlite3.Connection, files: Files) -> None:
        """Forget the rows of files that are gone or changed, and read those that are new or changed."""
        shared = Interned(connection)
        for folder, known in _known(connection, files).items():
            gone = [(folder, name) for name, stamp in known.items() if files[folder].get(name) != stamp]
            connection.execute("BEGIN")
            connection.executemany("DELETE FROM samples WHERE entry IN (SELECT number FROM entry WHERE folder = ? "
                                   "AND name = ?)", gone)
            connection.executemany("DELETE FROM entry WHERE folder = ? AND name = ?", gone)
            connection.execute("COMMIT")
            new = sorted(name for name, stamp in files[folder].items() if known.get(name) != stamp)
            for start in range(0, len(new), _BATCH):
                connection.execute("BEGIN")
                for name in new[start:start + _BATCH]:
                    self._read(connection, shared, folder, name, files[folder][name])
                connection.execute("COMMIT")

    def _read(self, connection: sqlite3.Connection, shared: Interned, folder: bytes, name: bytes, stamp: str) -> None:
        path = self._records / os.fsdecode(folder) / os.fsdecode(name)
        samples = None
        if _may_change_unseen(stamp):
            stamp = ""
        try:
            record = read_in_place(path)
            row, samples = row_of(record, shared), record.per_sample
        except StoreError as error:
            row = unreadable_row(error)
            if isinstance(error.__cause__, OSError):  # which may pass without a change of the file
                stamp = ""
        number = connection.execute(_INSERT, (folder, name, stamp, *row)).lastrowid
        if samples is not None:
            connection.execute("INSERT INTO samples VALUES (?, ?)", (number, samples.raw))

    def _look(self, connection: sqlite3.Connection, files: Files, filters: Filters) -> Found:
        wanted = " AND ".join([f"{column} IN ({_marks(values)})" for column, values in filters.items()]) or "TRUE"
        values = [value for values in filters.values() for value in values]
        parts = Parts(connection, self.path)
        settings = settings_of(connection.execute(f"SELECT number, {', '.join(SETTING)} FROM setting WHERE {wanted}",
                                                  values), parts)
        entries: list[Entry] = []
        unreadable: list[Unreadable] = []
        for folder in sorted(files):
            rows = connection.execute(
                f"SELECT number, name, {', '.join(COLUMNS)} FROM entry WHERE folder = ? AND (reason IS NOT NULL OR "
                f"setting IN (SELECT number FROM setting WHERE {wanted})) ORDER BY name", [folder, *values])
            found = entries_of(rows, settings, self._records / os.fsdecode(folder), parts)
            entries += found[0]
            unreadable += found[1]
        return entries, unreadable


_INSERT = (f"INSERT INTO entry (folder, name, stamp, {', '.join(COLUMNS)}) "
           f"VALUES ({', '.join('?' * (3 + len(COLUMNS)))})")


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _version(connection: sqlite3.Connection) -> str:
    found: str = connection.execute("SELECT text FROM version").fetchone()[0]
    return found


def _known(connection: sqlite3.Connection, files: Files) -> dict[bytes, dict[bytes, str]]:
    """The files of the same folders as the index has them."""
    return {folder: dict(connection.execute("SELECT name, stamp FROM entry WHERE folder = ?", (folder,)))
            for folder in files}


def _files(folder: Path) -> dict[bytes, str]:
    """The record files in ``folder`` with their stamps; hidden ones belong to writers at work."""
    found: dict[bytes, str] = {}
    with atomic.store_errors(folder), suppress(FileNotFoundError), os.scandir(os.fsencode(folder)) as files:
        for file in files:
            if file.name.endswith(b".json") and not file.name.startswith(b"."):
                with suppress(FileNotFoundError):
                    stat = file.stat()
                    found[file.name] = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
    return found


def _may_change_unseen(stamp: str) -> bool:
    """Whether a file is so new that it may change again within the resolution of its times."""
    _, modified, changed, _ = map(int, stamp.split())
    return time.time_ns() - max(modified, changed) < _TICK
