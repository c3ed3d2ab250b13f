"""What a results folder has against what its records give: compared for ``--check``, or brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import StoreError
from ..results.storage import atomic
from . import manifest
from .short_diff import short_diff

State = Literal["missing", "drifted", "left over", "in the way"]


@dataclass(frozen=True)
class Drift:
    """One file that is not as the records have it.

    ``in the way``: somebody wrote a file of that name, which is neither listed as generated nor what would be made.
    ``left over``: listed as generated, and no record asks for it. ``diff``: a few lines, ``-`` on disk, ``+`` made.
    """

    path: str
    state: State
    diff: tuple[str, ...] = ()


def drifts(folder: Path, made: Mapping[str, str], *, complete: bool = True) -> list[Drift]:
    """How ``folder`` differs from ``made`` (path in it -> text), by path; empty where nothing does.

    ``complete``: nothing failed to be made, so that what is listed and not made is left over.
    """
    ours = manifest.listed(folder)
    found = [drift for path, text in made.items() if (drift := _drift(folder, path, text, path in ours))]
    if complete:
        found += [Drift(path, "left over") for path in ours if path not in made and (folder / path).is_file()]
        if ours != _hashes(made):
            state: State = "drifted" if (folder / manifest.NAME).is_file() else "missing"
            found.append(Drift(manifest.NAME, state))
    return sorted(found, key=lambda drift: drift.path)


def _drift(folder: Path, path: str, text: str, ours: bool) -> Drift | None:
    file = folder / path
    if not file.exists():
        return Drift(path, "missing")
    before = file.read_bytes() if file.is_file() else b""
    if before == text.encode():
        return None
    return Drift(path, "drifted" if ours else "in the way", short_diff(before.decode(errors="replace"), text))


def update(folder: Path, made: Mapping[str, str], drawn_with: str, *, complete: bool = True) -> list[Drift]:
    """Write what is missing or drifted, remove what is left over, and say what was done.

    A left-over file that was changed by hand since stays. Raises :class:`harness.StoreError`, before anything is
    written, for files in the way.
    """
    found = drifts(folder, made, complete=complete)
    if in_the_way := [drift.path for drift in found if drift.state == "in the way"]:
        raise StoreError(f"{folder}: {', '.join(in_the_way)} would be overwritten, and {manifest.NAME} does not list "
                         f"{'it' if len(in_the_way) == 1 else 'them'} as generated", "Move what somebody wrote to "
                         "another name, or delete what was made before, and run harness report again")
    ours = manifest.listed(folder)
    for drift in found:
        if drift.path in made:
            atomic.write_text(folder / drift.path, made[drift.path])
        elif drift.state == "left over" and manifest.digest((folder / drift.path).read_bytes()) == ours[drift.path]:
            with atomic.store_errors(folder / drift.path):
                (folder / drift.path).unlink()
    if found:
        kept = {} if complete else {path: ours[path] for path in ours if path not in made}
        atomic.write_text(folder / manifest.NAME, manifest.to_text(_hashes(made) | kept, drawn_with))
    return found


def _hashes(made: Mapping[str, str]) -> dict[str, str]:
    return {path: manifest.digest(text.encode()) for path, text in made.items()}
