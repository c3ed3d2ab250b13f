"""Rows of the index from records, and entries from rows."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from sys import intern
from typing import Any

from pydantic import BaseModel

from ...errors import StoreError
from ..entry import Entry, EntryAsked
from ..parts import Parts
from ..record import Record
from ..record_file import Unreadable

#: The columns of a row behind its number, folder, name and stamp. ``reason`` is that of a file without a usable
#: record, whose other columns are empty. Columns named ``*_part`` hold numbers of parts.
COLUMNS = ("reason", "remedy",
           "task", "scale", "model", "method", "bits", "seed", "fingerprint", "weights_hash", "calibration_size",
           "evaluation_limit", "budget", "configuration_hash", "configuration_part",
           "identity", "numbers", "status", "notice", "created", "main_metric", "peak_memory", "value", "metrics",
           "timings", "options_part", "metrics_beside_part", "environment_part", "failure_part", "reference_part",
           "costs_part")
#: Fields that are as large as there are samples: kept apart, fetched for one entry at a time.
LARGE = ("per_sample",)

Row = tuple[Any, ...]


class Interned:
    """Writes the parts of records, each text once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, int] = {}

    def number(self, value: Any) -> int | None:
        """The number of a part; ``None`` where there is none."""
        if value is None:
            return None
        text = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, sort_keys=True)
        key = hashlib.sha256(text.encode()).digest()
        if key not in self._known:
            self._connection.execute("INSERT OR IGNORE INTO part (hash, text) VALUES (?, ?)", (key, text))
            self._known[key] = self._connection.execute("SELECT number FROM part WHERE hash = ?", (key,)).fetchone()[0]
        return self._known[key]


def row_of(record: Record, parts: Interned) -> Row:
    """The values of :data:`COLUMNS` of a record."""
    asked, number = record.asked, parts.number
    return (None, None,
            asked.task, asked.scale, asked.model, asked.method, asked.bits, asked.seed, asked.fingerprint,
            asked.weights_hash, asked.calibration_size, asked.evaluation_limit, asked.budget,
            asked.configuration_hash, number(asked.configuration),
            record.identity, record.numbers, record.status, record.notice, record.created, record.main_metric,
            record.peak_memory, record.metrics.get(record.main_metric), json.dumps(record.metrics),
            json.dumps(record.timings), number(record.options), number(record.metrics_beside),
            number(record.environment), number(record.failure), number(record.reference), number(record.costs))


def unreadable_row(error: StoreError) -> Row:
    """The same of a file that holds no usable record."""
    return error.message, error.remedy, *[None] * (len(COLUMNS) - 2)


def entries_of(rows: Iterable[Row], records: Path, parts: Parts) -> tuple[list[Entry], list[Unreadable]]:
    """What rows of number, folder, name and :data:`COLUMNS` say. ``records``: the folder of the folders."""
    entries: list[Entry] = []
    unreadable: list[Unreadable] = []
    folders: dict[bytes, Path] = {}
    for (number, folder, name, reason, remedy, task, scale, model, method, bits, seed, fingerprint, weights_hash,
         calibration_size, evaluation_limit, budget, configuration_hash, configuration, identity, numbers, status,
         notice, created, main_metric, peak_memory, value, metrics, timings, options, metrics_beside, environment,
         failure, reference, costs) in rows:
        place = folders.get(folder) or folders.setdefault(folder, records / os.fsdecode(folder))
        if reason is not None:
            unreadable.append(Unreadable(place / os.fsdecode(name), reason, remedy))
            continue
        # The texts that most entries share are kept once.
        asked = EntryAsked(intern(task), intern(scale), intern(model), intern(method), intern(bits), seed,
                           intern(fingerprint), intern(weights_hash), calibration_size, evaluation_limit,
                           intern(budget), intern(configuration_hash), configuration, parts)
        entries.append(Entry(asked, identity, numbers, intern(status), intern(notice), created, intern(main_metric),
                             peak_memory, value, metrics, timings, number, place, name, options, metrics_beside,
                             environment, failure, reference, costs, parts))
    return entries, unreadable
