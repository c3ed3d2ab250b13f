"""Where this machine keeps what is slow to compute twice. Everything in it may be deleted at any time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path


def digest(lines: Iterable[str]) -> str:
    """SHA-256 (hex) of a set of lines: their order does not matter."""
    hashed = hashlib.sha256()
    for line in sorted(lines):
        hashed.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return hashed.hexdigest()


def cache_folder(name: str) -> Path | None:
    """A folder of the user's cache (``XDG_CACHE_HOME``, else ``~/.cache``), or None if it cannot be written.

    ``name`` starts with the family of tasks whose cache it is, as in ``"classification/pixels"``.
    """
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "quantization-harness" / name
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None
    return folder if os.access(folder, os.W_OK) else None


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file, remembered by its path, size and time of change."""
    stat = path.stat()
    folder = cache_folder("hashes")
    if folder is None:
        return _hash(path)
    remembered = folder / digest([f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"])
    try:
        known = remembered.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        known = ""
    if re.fullmatch(r"[0-9a-f]{64}", known):
        return known
    found = _hash(path)
    temporary = remembered.with_suffix(f".{os.getpid()}")
    try:
        temporary.write_text(found, encoding="ascii")
        temporary.replace(remembered)
    except OSError:  # A full disk costs the next run a second, not this run its result.
        temporary.unlink(missing_ok=True)
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
