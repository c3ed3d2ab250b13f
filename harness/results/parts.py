"""The larger parts of the entries of an index, fetched when they are asked for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..errors import StoreError

Model = TypeVar("Model", bound=BaseModel)

#: Entries whose large fields are fetched together: who asks for one mostly asks for those beside it.
_BLOCK = 64
#: Characters of large fields that are kept; beyond, all are forgotten and fetched again.
_KEPT = 2**28

_PART = "SELECT text FROM part WHERE number = ?"
_LARGE = ("SELECT number, large.text FROM entry LEFT JOIN large ON large.entry = number AND field = ? "
          "WHERE number BETWEEN ? AND ?")


class Parts:
    """The parts of entries by number. Most are shared by many entries: those are read once and kept.

    What comes from the index was validated when it was written there.
    """

    def __init__(self, connection: sqlite3.Connection, index: Path) -> None:
        self._connection = connection
        self._index = index
        self._shared: dict[tuple[type | None, int], Any] = {}
        self._texts: dict[tuple[str, int], str | None] = {}
        self._large: dict[tuple[str, int], Any] = {}
        self._kept = 0

    def __del__(self) -> None:
        self._connection.close()

    def plain(self, number: int) -> Any:
        """A part as plain JSON data, shared by all who ask: not to be changed."""
        key = (None, number)
        if key not in self._shared:
            self._shared[key] = json.loads(self._fetch(_PART, number)[0][0])
        return self._shared[key]

    def model(self, kind: type[Model], number: int | None) -> Model | None:
        """A part as the model of a field, ``None`` where the record has none."""
        if number is None:
            return None
        key = (kind, number)
        if key not in self._shared:
            self._shared[key] = kind.model_validate_json(self._fetch(_PART, number)[0][0])
        found: Model = self._shared[key]
        return found

    def large(self, kind: type[Model], field: str, entry: int) -> Model | None:
        """A field of one entry that is as large as there are samples; ``None`` where the record has none."""
        key = (field, entry)
        if key not in self._large:
            text = self._large_text(field, entry)
            self._large[key] = None if text is None else kind.model_construct(**json.loads(text))
        found: Model | None = self._large[key]
        return found

    def _large_text(self, field: str, entry: int) -> str | None:
        if (field, entry) not in self._texts:
            if self._kept > _KEPT:
                self._texts, self._large, self._kept = {}, {}, 0
            first = entry - entry % _BLOCK
            for number, text in self._fetch(_LARGE, field, first, first + _BLOCK - 1):
                self._texts[field, number] = text
                self._kept += len(text or "")
            if (field, entry) not in self._texts:
                raise StoreError("a record was replaced while it was looked at", "Run the same command again")
        return self._texts.pop((field, entry))

    def _fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the index {self._index}: {error}",
                             f"Remove the folder {self._index.parent}: it is made anew") from None
