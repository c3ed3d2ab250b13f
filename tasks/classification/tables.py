"""One file of a table as the Hugging Face libraries write it: Parquet, or Arrow from ``save_to_disk``.

pyarrow reads both by itself; nothing is downloaded. Parquet is read a row group at a time, Arrow
files are memory-mapped, so memory does not grow with the data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness import DataError


class Table(ABC):
    """One file of a table: its columns, its rows, and one picture at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Column names."""

    @abstractmethod
    def column(self, name: str) -> list[Any]:
        """All values of one small column."""

    @abstractmethod
    def value(self, name: str, row: int) -> Any:
        """One value."""


class ParquetTable(Table):
    """A ``.parquet`` file."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        super().__init__(path)
        self._file = pq.ParquetFile(path, memory_map=True)
        groups = self._file.metadata
        self._ends = list(accumulate(groups.row_group(index).num_rows for index in range(groups.num_row_groups)))
        self._group = lru_cache(maxsize=1)(self._read_group)

    @property
    def columns(self) -> list[str]:
        return list(self._file.schema_arrow.names)

    def column(self, name: str) -> list[Any]:
        return self._file.read(columns=[name])[name].to_pylist()

    def value(self, name: str, row: int) -> Any:
        group = bisect_right(self._ends, row)
        return self._group(group, name)[row - (self._ends[group - 1] if group else 0)].as_py()

    def _read_group(self, group: int, name: str) -> Any:
        return self._file.read_row_group(group, columns=[name])[name]


class ArrowTable(Table):
    """An ``.arrow`` file of a folder written by ``datasets.save_to_disk``."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        super().__init__(path)
        self._table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()

    @property
    def columns(self) -> list[str]:
        return list(self._table.column_names)

    def column(self, name: str) -> list[Any]:
        return self._table[name].to_pylist()

    def value(self, name: str, row: int) -> Any:
        return self._table[name][row].as_py()


def open_table(kind: type[Table], path: Path) -> Table:
    """Open a file of a table; raises :class:`DataError` for a damaged one."""
    import pyarrow as pa

    try:
        return kind(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", "The file is damaged or of another format") from error
