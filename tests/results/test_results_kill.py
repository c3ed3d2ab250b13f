"""Real processes, really killed at every point of every write; and processes that share a folder."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from store_worker import INTERRUPTED, hold, make, work

from harness.results.storage.store import Store

RUNS = 2
#: Per run: a lease and a record, each with five points; and before them the file that hides the leases from git.
POINTS = 5 + RUNS * 10

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["pytest", "harness.results.storage.store"])  # imported once for all


def start(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    process = processes.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def finish(process: ForkServerProcess) -> int | None:
    process.join(60)
    return process.exitcode


def computed(folder: Path) -> list[str]:
    return (folder / "computed").read_text().splitlines()


@pytest.mark.parametrize(("signal", "code"), [("SIGKILL", -9), ("SIGINT", INTERRUPTED)])
def test_killed_at_every_point(tmp_path: Path, signal: str, code: int) -> None:
    """After a kill at any point: whole records only, and the next process finishes the work."""
    folders = {point: tmp_path / str(point) for point in range(1, POINTS + 1)}
    for folder in folders.values():
        folder.mkdir()
    killed = {point: start(work, folder, RUNS, 0.0, "minmax", f"{signal}:{point}")
              for point, folder in folders.items()}
    assert {point: finish(process) for point, process in killed.items()} == dict.fromkeys(folders, code)
    for folder in folders.values():
        look_at_what_is_left(folder, signal)
    resumed = [start(work, folder, RUNS) for folder in folders.values()]
    assert [finish(process) for process in resumed] == [0] * POINTS
    for folder in folders.values():
        store = Store(folder)
        records, unreadable = store.records()
        assert sorted(record.asked.seed for record in records) == list(range(RUNS))
        assert unreadable == []
        assert [store.running(record.identity) for record in records] == [None] * RUNS


def look_at_what_is_left(folder: Path, signal: str) -> None:
    store = Store(folder)
    records, unreadable = store.records()
    assert unreadable == [], "a record is whole or not there"
    assert [record.asked.seed for record in records] == list(range(len(records)))
    for lease in store.leases_folder.glob("*.lease"):
        assert json.loads(lease.read_text())["pid"] > 0, "so is a lease"
    if signal == "SIGINT":
        assert list(folder.rglob("*.tmp")) == [], "an interrupted writer cleans up"
        assert list(folder.rglob("*.lease")) == [], "and gives its lease back"


def test_there_are_no_more_points(tmp_path: Path) -> None:
    """Guards the number above: with a point more the test before would not be about every point."""
    assert finish(start(work, tmp_path, RUNS, 0.0, "minmax", f"SIGKILL:{POINTS + 1}")) == 0
    assert computed(tmp_path) == ["minmax 0", "minmax 1"]


def test_two_processes_share_the_same_runs(tmp_path: Path) -> None:
    """No run is computed twice, and none is lost."""
    workers = [start(work, tmp_path, 12, 0.02) for _ in range(2)]
    assert [finish(worker) for worker in workers] == [0, 0]
    assert finish(start(work, tmp_path, 12)) == 0, "the last one may have been the other's"
    records, unreadable = Store(tmp_path).records()
    assert sorted(computed(tmp_path)) == sorted(f"minmax {seed}" for seed in range(12))
    assert (len(records), unreadable) == (12, [])


def test_two_processes_write_different_runs(tmp_path: Path) -> None:
    workers = [start(work, tmp_path, 10, 0.0, method) for method in ("igqvit", "ptqvit")]
    assert [finish(worker) for worker in workers] == [0, 0]
    records, unreadable = Store(tmp_path).records()
    assert len(set(computed(tmp_path))) == len(computed(tmp_path)) == 20
    assert (len(records), unreadable) == (20, [])


def test_a_lease_ends_with_its_process(tmp_path: Path) -> None:
    identity = make("minmax", 0).identity
    store = Store(tmp_path)
    process = start(hold, tmp_path, identity)
    deadline = time.monotonic() + 30
    while not (tmp_path / "held").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    holder = store.running(identity)
    assert holder is not None
    assert holder.pid == process.pid
    with store.lease(identity) as mine:
        assert not mine
    process.kill()
    process.join()
    assert store.running(identity) is None
    with store.lease(identity) as mine:
        assert mine
