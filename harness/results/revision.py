"""Records as they were at a commit, read from git without checking anything out."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from ..errors import DataError, StoreError
from .record import Record

_RECORDS = "records"


def records_at(commit: str, folder: Path) -> tuple[list[Record], list[StoreError]]:
    """The records that results folder ``folder`` held at ``commit``, and why others cannot be read.

    Raises :class:`harness.DataError` where there is no git, no such commit, or no such folder in it.
    """
    place = folder.resolve()
    inside = next(parent for parent in (place, *place.parents) if parent.is_dir())
    top = Path(_git(inside, "rev-parse", "--show-toplevel",
                    message=f"{commit!r} is no results folder and no parquet file, and git finds no repository here to "
                            "look for such a commit in",
                    remedy="Give a results folder or a parquet file, or run it in a git repository").strip())
    found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}",
                 message=f"{commit!r} is no results folder, no parquet file and no commit of {top}",
                 remedy="See: git log --oneline -- results").strip()
    path = (place.relative_to(top.resolve()) / _RECORDS).as_posix()
    if not _git(top, "ls-tree", "--name-only", found, "--", path).strip():
        raise DataError(f"commit {commit} has no {path}", "Give the results folder with --results")
    return _unpacked(top, found, path, commit)


def _unpacked(top: Path, found: str, path: str, commit: str) -> tuple[list[Record], list[StoreError]]:
    records, unreadable = [], []
    with subprocess.Popen(["git", "-C", str(top), "archive", "--format=tar", found, "--", path],
                          stdout=subprocess.PIPE) as process, \
            tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isfile() and name.suffix == ".json" else None
            if content is not None and not name.name.startswith("."):
                try:
                    records.append(Record.from_json(content.read(), f"{commit}:{name}"))
                except StoreError as error:
                    unreadable.append(error)
    return records, unreadable


def _git(folder: Path, *arguments: str, message: str = "", remedy: str = "") -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DataError("there is no git to look up a commit with", remedy or "Install git") from None
    if done.returncode:
        raise DataError(message or f"git: {' '.join(done.stderr.split())}", remedy)
    return done.stdout
