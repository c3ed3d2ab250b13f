"""Splits whose pictures lie in the rows of Parquet or Arrow files."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from pathlib import Path
from threading import Lock
from typing import Any

from harness import DataError, digest

from .image_sets import ImageSet
from .split import Split
from .tables import ArrowTable, ParquetTable, Table, open_table

_IMAGE_COLUMNS = ("image", "img")
_TAIL = 1 << 16  # Of a file, the last bytes: Parquet's footer with sizes and statistics of every chunk.


class TableSplit(Split):
    """Pictures in the rows of Parquet or Arrow files, in the order of the files' names."""

    def __init__(self, paths: list[Path], kind: type[Table], image_set: ImageSet) -> None:
        self._tables = [open_table(kind, path) for path in paths]
        self._image, label = _columns(self._tables[0], image_set)
        self._lock = Lock()
        self.names, self.labels, self._ends = [], [], []
        for table in self._tables:
            labels = table.column(label)
            _check_labels(labels, table.path, image_set)
            self.names += [f"{table.path.name}:{row}" for row in range(len(labels))]
            self.labels += labels
            self._ends.append(len(self.labels))
        files = [f"{path.name}|{path.stat().st_size}|{_tail_hash(path)}" for path in paths]
        rows = (f"{name}|{value}" for name, value in zip(self.names, self.labels, strict=True))
        self.fingerprint = digest([*files, digest(rows)])
        self.stamp = digest([self.fingerprint, *(f"{path.name}|{path.stat().st_mtime_ns}" for path in paths)])

    def read(self, index: int) -> bytes:
        with self._lock:
            table, row = self._find(index)
            value = table.value(self._image, row)
        if isinstance(value, dict):
            value = value.get("bytes")
        if not isinstance(value, bytes):
            raise DataError(f"{self.place(index)} holds no picture bytes",
                            "Save the data set with the pictures embedded, not with paths to them")
        return value

    def place(self, index: int) -> str:
        table, row = self._find(index)
        return f"{table.path} row {row}"

    def _find(self, index: int) -> tuple[Table, int]:
        number = bisect_right(self._ends, index)
        return self._tables[number], index - (self._ends[number - 1] if number else 0)


def parquet_split(root: Path, name: str, image_set: ImageSet) -> TableSplit | None:
    """``name*.parquet`` in ``root`` or in a folder of it (``data/``); None if there is none."""
    paths = sorted(root.glob(f"{name}*.parquet")) or sorted(root.glob(f"*/{name}*.parquet"))
    return TableSplit(paths, ParquetTable, image_set) if paths else None


def arrow_split(root: Path, name: str, image_set: ImageSet) -> TableSplit | None:
    """``root/name/data-*.arrow``; None if there is none."""
    paths = sorted((root / name).glob("*.arrow"))
    return TableSplit(paths, ArrowTable, image_set) if paths else None


def _columns(table: Table, image_set: ImageSet) -> tuple[str, str]:
    found = [next((name for name in names if name in table.columns), None)
             for names in (_IMAGE_COLUMNS, image_set.label_columns)]
    image, label = found
    if image is None or label is None:
        raise DataError(f"{table.path} has the columns {', '.join(table.columns)}",
                        f"It needs a picture column ({' or '.join(_IMAGE_COLUMNS)}) and a label column "
                        f"({' or '.join(image_set.label_columns)})")
    return image, label


def _check_labels(labels: list[Any], path: Path, image_set: ImageSet) -> None:
    for row, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < image_set.classes:
            raise DataError(f"{path} row {row}: label {label!r} is not an index from 0 to {image_set.classes - 1}",
                            f"Labels are class indices of {image_set.title}")


def _tail_hash(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return hashlib.sha256(file.read()).hexdigest()
