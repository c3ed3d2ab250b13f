"""The larger parts of the entries of an index, fetched when they are asked for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..errors import StoreError
from .samples import PerSample

Model = TypeVar("Model", bound=BaseModel)

#: Entries whose samples are fetched together: who asks for those of one mostly asks for those beside it.
_BLOCK = 64
#: Bytes of samples that are kept; beyond, all are forgotten and fetched again.
_KEPT = 2**28

_PART = "SELECT text FROM part WHERE number = ?"
_SAMPLES = "SELECT entry, raw FROM samples WHERE entry BETWEEN ? AND ?"


class Parts:
    """The parts of entries by number. Most are shared by many entries: those are read once and kept.

    What comes from the index was validated when it was written there.
    """

    def __init__(self, connection: sqlite3.Connection, index: Path) -> None:
        self._connection = connection
        self._index = index
        self._plain: dict[int, Any] = {}
        self._models: dict[tuple[type, int], Any] = {}
        self._samples: dict[int, bytes] = {}
        self._kept = 0

    def __del__(self) -> None:
        self._connection.close()

    def plain(self, number: int) -> Any:
        """A part as plain JSON data, shared by all who ask: not to be changed."""
        if number not in self._plain:
            self._plain[number] = json.loads(self._fetch(_PART, number)[0][0])
        return self._plain[number]

    def model(self, kind: type[Model], number: int | None) -> Model | None:
        """A part as the model of a field, ``None`` where the record has none."""
        if number is None:
            return None
        key = (kind, number)
        if key not in self._models:
            self._models[key] = kind.model_validate_json(self._fetch(_PART, number)[0][0])
        found: Model = self._models[key]
        return found

    def samples(self, shape: int, entry: int) -> PerSample:
        """The samples of one entry; ``shape``: the part that says how its bytes are to be read."""
        if entry not in self._samples:
            if self._kept > _KEPT:
                self._samples, self._kept = {}, 0
            first = entry - entry % _BLOCK
            found = dict(self._fetch(_SAMPLES, first, first + _BLOCK - 1))
            if entry not in found:
                raise StoreError("a record was replaced while it was looked at", "Run the same command again")
            self._samples |= found
            self._kept += sum(map(len, found.values()))
        n, encoding, statistic = self.plain(shape)
        return PerSample(n, encoding, self._samples[entry], statistic)

    def _fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the index {self._index}: {error}",
                             f"Remove the folder {self._index.parent}: it is made anew") from None
