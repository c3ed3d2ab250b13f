"""Atomic writes: links, permissions, full disks, folders that refuse, interrupted writers."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import StoreError
from harness.results.storage import atomic

LIMITED = """
import resource, sys
from pathlib import Path
from harness import StoreError
from harness.results.storage.atomic import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_bytes(Path(sys.argv[1]), b"x" * 10_000)
except StoreError as error:
    print(error)
"""


@pytest.fixture(name="umask")
def _umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.fixture(name="not_root")
def _not_root() -> Iterator[None]:
    """Permissions of folders mean nothing to root: be somebody else meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    atomic.write_text(path, "old ä")
    atomic.write_text(path, "new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_file_and_folder_are_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before it takes its name, the name afterwards."""
    steps = []
    fsync, replace = os.fsync, os.replace

    def log_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def log_replace(source: Path, target: Path) -> None:
        steps.append("replace")
        replace(source, target)
    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    atomic.write_text(tmp_path / "a", "x")
    assert steps == ["file", "replace", "folder"]


def test_the_umask_is_honoured(tmp_path: Path, umask: None) -> None:
    atomic.write_text(tmp_path / "a", "x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o604)
    atomic.write_text(tmp_path / "a", "new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "a"
    atomic.write_text(target, "old")
    (tmp_path / "link").symlink_to(target)
    atomic.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("failing", ["fsync", "replace", "open"])
@pytest.mark.parametrize(("number", "remedy"), [
    (errno.ENOSPC, "Free some space"), (errno.EDQUOT, "Free some space"), (errno.EROFS, "writable"),
    (errno.EACCES, "writable"), (errno.EIO, "--results")])
def test_what_the_disk_says_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str,
                                                      number: int, remedy: str) -> None:
    path = tmp_path / "a"
    atomic.write_text(path, "old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))
    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(StoreError, match=remedy) as caught:
            atomic.write_text(path, "new")
    assert os.strerror(number) in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A real refusal of the operating system in the middle of a write."""
    path = tmp_path / "a"
    atomic.write_text(path, "old")
    result = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert "Free some space" in result.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_may_not_be_written(tmp_path: Path, not_root: None) -> None:
    with pytest.raises(StoreError, match=r"Permission denied(.|\n)*Make the folder writable"):
        atomic.write_text(tmp_path / "a", "x")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="--results"):
        atomic.write_text(tmp_path / "file" / "a", "x")


@pytest.mark.parametrize("point", [1, 2, 3, 4])
def test_an_interrupted_writer_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    path = tmp_path / "a"
    atomic.write_text(path, "old")
    passed = iter(range(1, 99))

    def interrupt() -> None:
        if next(passed) == point:
            raise KeyboardInterrupt
    monkeypatch.setattr(atomic, "fault_point", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    old, young, other = tmp_path / ".a.json.12.tmp", tmp_path / ".b.json.34.tmp", tmp_path / ".keep"
    for path in (old, young, other):
        path.write_text("half")
    hours_ago = time.time() - 2 * atomic.LEFTOVER_AGE
    os.utime(old, (hours_ago, hours_ago))
    os.utime(other, (hours_ago, hours_ago))
    assert atomic.remove_leftovers(tmp_path) == [old]
    assert sorted(tmp_path.iterdir()) == [young, other]
