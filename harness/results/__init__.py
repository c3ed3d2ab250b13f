"""Records of runs, where they are kept, what is computed from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .frames import Frames
    from .storage.store import Filter

__all__ = ["load"]


def load(folder: Path | str, *, task: Filter = None, model: Filter = None, method: Filter = None,
         bits: Filter = None) -> Frames:
    """The records of a results folder as pandas frames: ``load("results", task="imagenet").records``.

    Each filter is a value or several. Files that hold no usable record are in :attr:`Frames.unreadable`, and warned of.
    """
    from .frames import Frames
    from .storage.store import Store

    return Frames.of(Store(folder), task=task, model=model, method=method, bits=bits)
