"""Rows of the index from records, and entries from rows."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import Any

from pydantic import BaseModel

from ...errors import StoreError
from ..entry import Entry, EntryAsked
from ..parts import Parts
from ..record import Record
from ..record_file import Unreadable
from ..uncollected import uncollected

#: What the records of one run have in common that differ in their seed only: most rows share these with others.
#: Columns named ``*_part`` hold numbers of parts.
SETTING = ("task", "scale", "model", "method", "bits", "fingerprint", "weights_hash", "calibration_size",
           "evaluation_limit", "budget", "configuration_hash", "configuration_part", "status", "notice",
           "main_metric", "options_part", "metrics_beside_part")
#: The columns of a row behind its number, folder, name and stamp. ``reason`` is that of a file without a usable
#: record, whose other columns are empty. ``setting``: the number of its setting.
COLUMNS = ("reason", "remedy", "setting", "seed", "identity", "numbers", "created", "peak_memory", "value", "metrics",
           "timings", "environment_part", "failure_part", "reference_part", "costs_part", "samples_part")

Row = tuple[Any, ...]
#: Number of a setting -> its values of what was asked, and the others.
Settings = Mapping[int, tuple[list[Any], Row]]


class Interned:
    """Writes what records share, each once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, bytes], int] = {}

    def part(self, value: Any) -> int | None:
        """The number of a part; ``None`` where there is none."""
        if value is None:
            return None
        text = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, sort_keys=True)
        return self._number("part", text, ("text",), (text,))

    def setting(self, record: Record) -> int:
        """The number of the setting of a record."""
        asked = record.asked
        values = (asked.task, asked.scale, asked.model, asked.method, asked.bits, asked.fingerprint,
                  asked.weights_hash, asked.calibration_size, asked.evaluation_limit, asked.budget,
                  asked.configuration_hash, self.part(asked.configuration), record.status, record.notice,
                  record.main_metric, self.part(record.options), self.part(record.metrics_beside))
        return self._number("setting", json.dumps(values), SETTING, values)

    def _number(self, table: str, text: str, columns: Sequence[str], values: Row) -> int:
        """The number of the row of ``values``, which ``text`` tells from others."""
        key = table, hashlib.sha256(text.encode()).digest()
        if key not in self._known:
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (hash, {', '.join(columns)}) "
                                     f"VALUES (?{', ?' * len(values)})", (key[1], *values))
            self._known[key] = self._connection.execute(f"SELECT number FROM {table} WHERE hash = ?",
                                                        key[1:]).fetchone()[0]
        return self._known[key]


def row_of(record: Record, shared: Interned) -> Row:
    """The values of :data:`COLUMNS` of a record."""
    part, samples = shared.part, record.per_sample
    return (None, None, shared.setting(record), record.asked.seed, record.identity, record.numbers, record.created,
            record.peak_memory, record.metrics.get(record.main_metric), json.dumps(record.metrics),
            json.dumps(record.timings), part(record.environment), part(record.failure), part(record.reference),
            part(record.costs), part(samples and (samples.n, samples.encoding, samples.statistic)))


def unreadable_row(error: StoreError) -> Row:
    """The same of a file that holds no usable record."""
    return error.message, error.remedy, *[None] * (len(COLUMNS) - 2)


def _once(value: Any) -> Any:
    return intern(value) if isinstance(value, str) else value


def settings_of(rows: Iterable[Row], parts: Parts) -> Settings:
    """What rows of number and :data:`SETTING` say: the values that their entries share, in the order of the fields of
    :class:`EntryAsked` and of :class:`Entry`. The texts that many share are kept once.
    """
    found = {}
    for number, *values in rows:
        *asked, status, notice, main_metric, options, metrics_beside = map(_once, values)
        found[number] = asked, (status, notice, main_metric, parts.plain(options), tuple(parts.plain(metrics_beside)))
    return found


@uncollected()
def entries_of(rows: Iterable[Row], settings: Settings, folder: Path,
               parts: Parts) -> tuple[list[Entry], list[Unreadable]]:
    """What rows of number, name and :data:`COLUMNS` say of the files in ``folder``."""
    entries: list[Entry] = []
    unreadable: list[Unreadable] = []
    for (number, name, reason, remedy, setting, seed, identity, numbers, created, peak_memory, value, metrics,
         timings, environment, failure, reference, costs, samples) in rows:
        if reason is not None:
            unreadable.append(Unreadable(folder / os.fsdecode(name), reason, remedy))
            continue
        asked, shared = settings[setting]
        entries.append(Entry(EntryAsked(seed, parts, *asked), identity, numbers, created, peak_memory, value, metrics,
                             timings, number, folder, name, environment, failure, reference, costs, samples, parts,
                             *shared))
    return entries, unreadable
