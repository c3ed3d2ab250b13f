"""A process that does runs as the engine does: for each, take the lease, compute, record."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from harness.results.record import Asked, Environment, Record
from harness.results.storage.store import Store

#: Exit code of a worker that Ctrl-C ended.
INTERRUPTED = 130


def make(method: str, seed: int) -> Record:
    """The record of one run."""
    asked = Asked(task="imagenet", scale="mini", model="vit_mini", method=method, bits="4/4", seed=seed,
                  fingerprint="d0", weights_hash="w0", calibration_size=32)
    return Record(asked=asked, status="ok", metrics={"top1": 50.0}, main_metric="top1",
                  notes={"choices": list(range(500))},
                  environment=Environment(harness="0", python="3"), created="2025-01-02T03:04:05+00:00")


def work(folder: Path, seeds: int, seconds: float = 0.0, method: str = "minmax", fault: str = "") -> None:
    """Do ``seeds`` runs of ``method``, noting each that is computed in ``folder/computed``."""
    os.environ["HARNESS_FAULT"] = fault
    try:
        _work(Store(folder), folder / "computed", seeds, seconds, method)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _work(store: Store, log: Path, seeds: int, seconds: float, method: str) -> None:
    for seed in range(seeds):
        record = make(method, seed)
        if store.get(record.identity) is not None:
            continue
        with store.lease(record.identity) as mine:
            if mine and store.get(record.identity) is None:
                with log.open("a") as lines:
                    lines.write(f"{method} {seed}\n")
                time.sleep(seconds)
                store.put(record)


def hold(folder: Path, identity: str) -> None:
    """Hold a lease until killed."""
    with Store(folder).lease(identity) as mine:
        (folder / ("held" if mine else "refused")).touch()
        time.sleep(60)
