"""Writing a file so that, whatever happens, its readers see the old content or the new, whole.

The new content goes to a temporary file in the same folder (the same file system), is forced to the disk,
and takes the name of the old file in one step; then the folder is forced to the disk as well. Costs: twice
the space for a moment, and two flushes (about 10 ms). A kill can leave the temporary file: readers ignore
it by its name, and :func:`remove_leftovers` deletes it once it is an hour old.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StoreError
from .faults import fault_point

#: Age in seconds after which a temporary file cannot belong to a writer that is still at work.
LEFTOVER_AGE = 3600.0
_SUFFIX = ".tmp"


def write_text(path: Path, text: str) -> None:
    """Replace the content of ``path`` by ``text`` in UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of ``path``, durably and in one step; missing folders are made.

    A symbolic link stays one and its target is replaced. A new file gets the permissions that the umask
    allows, an existing one keeps its own. Raises :class:`harness.StoreError` (disk full, folder not
    writable); then, and on any exception such as Ctrl-C, the old content is still there.
    """
    with store_errors(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():  # A device or a pipe cannot be replaced.
            target.write_bytes(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}{_SUFFIX}")
        try:
            _write(temporary, content, mode=_mode(target))
            fault_point()
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fault_point()
        sync_folder(target.parent)


def _write(temporary: Path, content: bytes, mode: int | None) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            os.chmod(temporary, mode)
        fault_point()
        middle = len(content) // 2
        file.write(content[:middle])
        file.flush()
        fault_point()
        file.write(content[middle:])
        file.flush()
        fault_point()
        os.fsync(file.fileno())


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    """Force the names in ``folder`` to the disk, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, age: float = LEFTOVER_AGE) -> list[Path]:
    """Delete the temporary files in ``folder`` that a kill left more than ``age`` seconds ago; says which."""
    removed = []
    for path in sorted(folder.glob(f".*{_SUFFIX}")):
        try:
            if time.time() - path.stat().st_mtime > age:
                path.unlink()
                removed.append(path)
        except FileNotFoundError:  # another process was faster
            continue
    return removed


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into a :class:`harness.StoreError` with a remedy."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        remedy = _REMEDIES.get(error.errno or 0, "Check the folder, or choose another with --results")
        raise StoreError(f"cannot use {where}: {error.strerror or error}", remedy) from error


_FULL = "Free some space, or choose a folder on another disk with --results, then run the same command again"
_REFUSED = "Make the folder writable, or choose another with --results, then run the same command again"
_REMEDIES = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EFBIG: _FULL,
             errno.EROFS: _REFUSED, errno.EACCES: _REFUSED, errno.EPERM: _REFUSED}
