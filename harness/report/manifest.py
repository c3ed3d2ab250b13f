"""The list of generated files in a results folder: ``generated.sha256``, a file that ``sha256sum -c`` reads too.

It is how a file made from records is told from one that somebody wrote: what is listed may be written anew, and
removed when no record asks for it any longer; what is not listed is never touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

#: Its name, in the results folder.
NAME = "generated.sha256"

_HEAD = "# Made from the records by harness report; compared by harness report --check."
_DRAWN = "# Drawn with: "
_LINE = re.compile(r"(?P<hash>[0-9a-f]{64})  (?P<path>\S.*)")


def digest(content: bytes) -> str:
    """The hash of a file's content, as the manifest has it."""
    return hashlib.sha256(content).hexdigest()


def to_text(hashes: Mapping[str, str], drawn_with: str) -> str:
    """The manifest of files: path in the results folder -> hash. ``drawn_with``: versions, for whoever sees a drift."""
    lines = [f"{hashes[path]}  {path}" for path in sorted(hashes)]
    return "\n".join([_HEAD, f"{_DRAWN}{drawn_with}", *lines]) + "\n"


def listed(folder: Path) -> dict[str, str]:
    """Path -> hash of the files that ``folder`` says were generated; empty where there is no manifest.

    Other lines are passed over, such as those that a merge of two branches leaves, and so is a path that leads out
    of the folder or to the records.
    """
    found = (_LINE.fullmatch(line) for line in _lines(folder))
    return {match["path"]: match["hash"] for match in found if match and _may_be_generated(match["path"])}


def drawn_with(folder: Path) -> str:
    """The versions with which the files in ``folder`` were drawn; empty where that is not known."""
    return next((line.removeprefix(_DRAWN) for line in _lines(folder) if line.startswith(_DRAWN)), "")


def _lines(folder: Path) -> list[str]:
    path = folder / NAME
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _may_be_generated(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[0] not in ("/", "records") and ".." not in parts
