"""Processes that make and use the index."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from store_worker import make

from harness.results.record import Record
from harness.results.storage import index
from harness.results.storage.store import Store


def build(folder: Path, kill_at: int) -> None:
    """Make the index in batches of ten, and be killed when so many records were read."""
    index._BATCH, index._TICK = 10, 0
    read, count = index.read_in_place, 0

    def counted(path: Path) -> Record:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(path)
    index.read_in_place = counted
    Store(folder).entries()


def put_and_look(folder: Path, method: str, count: int) -> None:
    """Write records one by one, and look at all after each: one's own must be there."""
    store = Store(folder)
    for seed in range(count):
        store.put(make(method, seed))
        entries, unreadable = store.entries()
        assert not unreadable
        assert sum(entry.asked.method == method for entry in entries) == seed + 1
        assert all(entry.metrics == {"top1": 50.0} and entry.environment.harness == "0" for entry in entries)
