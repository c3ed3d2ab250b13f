"""Leases: who holds one, when it is stale, and who gives it back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.results.storage import lease as module
from harness.results.storage.lease import GRACE, Holder, Lease


@pytest.fixture(name="lease")
def _lease(tmp_path: Path) -> Lease:
    return Lease(tmp_path / "leases" / "0123.lease")


def held_by(lease: Lease, holder: Holder, age: float = 0.0) -> None:
    """Pretend that ``holder`` last touched the lease ``age`` seconds ago."""
    lease.path.parent.mkdir(exist_ok=True)
    lease.path.write_text(json.dumps(asdict(holder)))
    touched = time.time() - age
    os.utime(lease.path, (touched, touched))


def is_mine(lease: Lease) -> bool:
    with lease.take() as mine:
        return mine


def test_held_within_the_block_only(lease: Lease) -> None:
    with lease.take() as mine:
        assert mine
        holder = lease.holder()
        assert holder is not None
        assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
        assert not is_mine(lease)
        assert lease.path.exists(), "who was refused gives nothing back"
    assert lease.holder() is None
    assert not lease.path.exists()


def test_given_back_after_an_error(lease: Lease) -> None:
    with pytest.raises(KeyboardInterrupt), lease.take():
        raise KeyboardInterrupt
    assert not lease.path.exists()


def test_a_dead_process_holds_nothing(lease: Lease) -> None:
    dead = Holder(socket.gethostname(), 2**22 + 1, "", "t")
    held_by(lease, dead)
    assert is_mine(lease)


def test_a_killed_process_that_its_parent_has_not_noticed_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    holder = replace(Holder.this_process(), pid=process.pid, started=module._start_of(process.pid))
    assert holder.alive
    process.kill()
    deadline = time.monotonic() + 10
    while holder.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holder.alive is False
    process.wait()


def test_a_later_process_with_the_same_number_is_another(lease: Lease) -> None:
    mine = Holder.this_process()
    held_by(lease, Holder(mine.host, mine.pid, mine.started + "0", "t"))
    assert is_mine(lease)


def test_a_living_process_here_keeps_its_lease_however_old(lease: Lease) -> None:
    held_by(lease, Holder.this_process(), age=10 * GRACE)
    assert not is_mine(lease)


@pytest.mark.parametrize(("age", "stale"), [(0.0, False), (GRACE / 2, False), (2 * GRACE, True)])
def test_another_host_is_judged_by_its_last_sign_of_life(lease: Lease, age: float, stale: bool) -> None:
    held_by(lease, Holder("elsewhere", 1, "", "t"), age)
    assert is_mine(lease) == stale


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_file_that_is_no_lease_holds_nothing(lease: Lease, text: str) -> None:
    lease.path.parent.mkdir()
    lease.path.write_text(text)
    assert is_mine(lease)


def test_a_lease_that_was_taken_over_is_not_given_back(lease: Lease) -> None:
    other = Holder("elsewhere", 1, "", "t")
    with lease.take() as mine:
        assert mine
        held_by(lease, other)
    assert lease.holder() == other


def test_the_heart_beats(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with lease.take():
        os.utime(lease.path, (0, 0))
        deadline = time.monotonic() + 10
        while lease.path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert time.time() - lease.path.stat().st_mtime < 60


def test_git_ignores_leases(lease: Lease) -> None:
    assert is_mine(lease)
    assert (lease.path.parent / ".gitignore").read_text() == "*\n"


def test_stale_leases_are_swept(lease: Lease) -> None:
    living, dead = lease.path.with_name("a.lease"), lease.path.with_name("b.lease")
    held_by(Lease(living), Holder.this_process())
    held_by(Lease(dead), Holder(socket.gethostname(), 2**22 + 1, "", "t"))
    module.remove_stale(lease.path.parent)
    assert living.exists()
    assert not dead.exists()
