"""Where plugins may write while a run is on: a look at every file that Python opens for writing."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import PluginError
from ..registry import Registry
from .blame import Owners

#: Audit events of Python -> which of their arguments are paths that change, and which folders these are relative to
#: (descriptors; -1: the working folder).
_EVENTS = {"os.mkdir": ((0, 2),), "os.remove": ((0, 1),), "os.rmdir": ((0, 1),), "os.rename": ((0, 2), (1, 3)),
           "os.link": ((1, 3),), "os.symlink": ((1, 2),)}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Files of the system that are no files.
_DEVICES = ("/dev", "/proc", "/sys")


@dataclass
class _Watch:
    owners: Owners
    folders: tuple[str, ...]
    temporary: str

    def look(self, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):  # a number: a file that is open already
            return
        plugin = self.owners.innermost(sys._getframe(2))
        if plugin is None:
            return
        place = os.path.realpath(os.fsdecode(path))
        if any(_inside(place, folder) for folder in self.folders) or "__pycache__" in Path(place).parts:
            return
        # Among temporary files, unless it is in a folder of these that the user works in.
        here = os.path.realpath(os.getcwd())
        if _inside(place, self.temporary) and not (_inside(here, self.temporary) and here != self.temporary
                                                   and _inside(place, here)):
            return
        raise PluginError(f"{plugin.source} was about to write {place}",
                          "Mend the plugin: what is slow to compute twice belongs in harness.cache_folder(NAME), other "
                          "files in a temporary folder, and what a run is remembered by in context.notes")


_watches: list[_Watch | None] = []


@contextmanager
def confined(registry: Registry, folders: Iterable[Path | str] = ()) -> Iterator[None]:
    """Refuse what plugins write outside of ``folders``, the user's cache and the folder for temporary files.

    The file is not opened, and :class:`harness.PluginError` is raised in the plugin's code. What the harness writes for
    it (records, snapshots) is no affair of this. Writes of compiled code (``torch.save`` to a path) are not seen.
    """
    _hook_in()
    # What the user names as the place of caches: XDG_CACHE_HOME, HF_HOME, TORCH_HOME, TRITON_CACHE_DIR, ...
    caches = [folder for name, folder in os.environ.items() if re.search("CACHE|.HOME", name) and os.path.isabs(folder)]
    own = [*folders, Path.home() / ".cache", *caches, *_DEVICES]
    with _watched_by(_Watch(Owners(registry), tuple(os.path.realpath(folder) for folder in own),
                            os.path.realpath(tempfile.gettempdir()))):
        yield


@contextmanager
def free() -> Iterator[None]:
    """Lift :func:`confined` for what acts for the user, not for the run: a logger writes where it was told to."""
    with _watched_by(None):
        yield


@contextmanager
def _watched_by(watch: _Watch | None) -> Iterator[None]:
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.pop()


@cache
def _hook_in() -> None:
    sys.addaudithook(_hook)  # once and for good: Python has no way to take one off


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _watches[-1] if _watches else None
    if watch is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if (isinstance(flags, int) and flags & _WRITING) or (isinstance(mode, str) and set(mode) & set("wax+")):
            watch.look(path)
    elif event in _EVENTS:
        for path, folder in _EVENTS[event]:
            if arguments[folder] == -1:  # else a tree is walked by descriptors, whose top was looked at
                watch.look(arguments[path])


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
