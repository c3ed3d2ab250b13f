"""Leases: at most one living process computes a run, whichever processes share the results folder.

A lease is a file that names its holder (host, process, time the process started) and is touched while the
holder lives. It is stale, and taken over, when its process is gone from this host, or when another host
has not touched it for :data:`GRACE` seconds. Taking, taking over and giving back happen under a short
lock of the folder. Where a file system has no locks, two processes could in the worst case compute the same
run; its record would still be written whole.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from . import atomic
from .locking import folder_lock

#: Seconds between two signs of life, and how old the last may be.
HEARTBEAT = 30.0
GRACE = 600.0


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease. ``started`` tells it from a later process with the same number."""

    host: str
    pid: int
    started: str
    token: str

    @classmethod
    def this_process(cls) -> Holder:
        """This process, with a fresh token."""
        return cls(socket.gethostname(), os.getpid(), _start_of(os.getpid()), secrets.token_hex(8))

    @property
    def alive(self) -> bool | None:
        """Whether the process runs; ``None`` where that cannot be seen from this host."""
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it lives, and is another user's
            pass
        return _start_of(self.pid) == self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lease:
    """The lease file at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holder(self) -> Holder | None:
        """Who holds it now; ``None`` where nobody does, or only a process that is gone."""
        with atomic.store_errors(self.path):
            try:
                text = self.path.read_text(encoding="utf-8")
                touched = self.path.stat().st_mtime
            except FileNotFoundError:
                return None
            try:
                holder = Holder(**json.loads(text))
            except (ValueError, TypeError):  # not ours: nobody writes such a file, leases are written whole
                return None
            alive = holder.alive
            if alive is None:
                alive = self._now() - touched < GRACE
            return holder if alive else None

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold the lease within the block; ``False`` (and nothing held) where a living process has it."""
        mine = Holder.this_process()
        try:
            with leases_lock(self.path.parent):
                taken = self.holder() is None
                if taken:
                    atomic.write_text(self.path, json.dumps(asdict(mine)) + "\n")
            if not taken:
                yield False
                return
            with self._heartbeat():
                yield True
        finally:
            self._give_back(mine)

    def _give_back(self, mine: Holder) -> None:
        with leases_lock(self.path.parent):
            if self.holder() == mine:
                self.path.unlink(missing_ok=True)

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        done = threading.Event()

        def beat() -> None:
            while not done.wait(HEARTBEAT):
                try:
                    os.utime(self.path)
                except OSError:  # gone, or the disk has a bad moment: the next beat tries again
                    continue
        thread = threading.Thread(target=beat, name="harness-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _now(self) -> float:
        """The time of the machine that keeps the folder, whose clock made the lease's time."""
        probe = self.path.with_name(f".clock.{secrets.token_hex(8)}.tmp")
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()
        finally:
            probe.unlink(missing_ok=True)


@contextmanager
def leases_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder of leases, and keep that folder out of the repository of the records."""
    with folder_lock(folder):
        if not (folder / ".gitignore").exists():
            atomic.write_text(folder / ".gitignore", "*\n")
        yield


def remove_stale(folder: Path) -> None:
    """Delete the leases of processes that are gone; call it with the folder's lock held."""
    for path in folder.glob("*.lease"):
        if Lease(path).holder() is None:
            path.unlink(missing_ok=True)
    atomic.remove_leftovers(folder)


def _start_of(pid: int) -> str:
    """When a process started, in a form that only equality makes sense of; empty where it is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] in "ZX" else fields[19]
