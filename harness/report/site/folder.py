"""The folder of a site: made beside, whole, then put in the place of the earlier one.

A marker file lists what the site consists of. A folder without it, or with files that are not in the list, holds
something of the user's: it is refused, and nothing in it is touched.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StoreError
from ...results.storage.atomic import store_errors

MARKER = ".harness-site.json"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to write into; it takes its place when the block ends without an exception.

    Raises :class:`harness.StoreError` for a folder that is not an earlier site, before anything is written.
    """
    with store_errors(folder):
        target = Path(os.path.realpath(folder))
        require_site(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        beside.mkdir()
    try:
        yield beside
        with store_errors(folder):
            listed = json.dumps({"made_by": "harness site", "files": _files(beside)}, indent=1)
            (beside / MARKER).write_text(listed + "\n", encoding="utf-8")
            _swap(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _swap(beside: Path, target: Path) -> None:
    """Two renames: between them a reader finds no folder, never half of one."""
    if not target.exists():
        os.rename(beside, target)
        return
    old = beside.with_suffix(".old")
    os.rename(target, old)
    try:
        require_site(old, shown=target)  # what came while the new site was made is the user's as well
        os.rename(beside, target)
    except BaseException:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


def require_site(folder: Path, shown: Path | None = None) -> None:
    """Raise :class:`harness.StoreError` unless ``folder`` is missing, empty, or an earlier site and nothing else."""
    shown = shown or folder
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{shown} is a file, not a folder", _REMEDY)
    marker = folder / MARKER
    if not marker.is_file():
        if any(folder.iterdir()):
            raise StoreError(f"{shown} is not a site of an earlier time, and not empty", _REMEDY)
        return
    try:
        listed = set(json.loads(marker.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{shown / MARKER} is damaged, so what belongs to the site is not known", _REMEDY) from None
    foreign = [name for name in _files(folder) if name not in listed and name != MARKER]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise StoreError(f"{shown} holds {foreign[0]}{more}, which is not part of the site there",
                         "Move it elsewhere, or give another --output; nothing was changed")


def _files(folder: Path) -> list[str]:
    """All files of ``folder``, and links to folders, by their paths in it; sorted."""
    found = []
    for parent, folders, files in os.walk(folder):
        linked = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found += [Path(parent, name).relative_to(folder).as_posix() for name in (*files, *linked)]
    return sorted(found)


_REMEDY = "Give --output a new or an empty folder, or the folder of an earlier site; nothing was changed"
