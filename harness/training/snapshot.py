"""Snapshots of unfinished training, so that a killed run goes on where it was, bit for bit."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoints import read_plain
from ..errors import StoreError
from ..results.storage.atomic import write_bytes, write_text

VERSION = 1


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one run, one file a stage, in ``folder``; ``seconds`` between two of them.

    ``identity`` is the run's: a snapshot of another run is refused.
    """

    folder: Path
    identity: str
    seconds: float = 60.0

    def path(self, key: str) -> Path:
        """The file of a stage."""
        return self.folder / f"{key}.pt"

    def write(self, key: str, content: Mapping[str, Any]) -> None:
        """Keep ``content`` (tensors and plain data) with the states of all random generators; whole or not at all.

        Raises :class:`harness.StoreError` where the folder cannot be written.
        """
        whole = {"version": VERSION, "identity": self.identity, "random": _random_states(), **content}
        buffer = io.BytesIO()
        torch.save(whole, buffer)
        if not (self.folder / ".gitignore").exists():  # nobody's repository of records wants them
            write_text(self.folder / ".gitignore", "*\n")
        write_bytes(self.path(key), buffer.getvalue())

    def read(self, key: str) -> dict[str, Any] | None:
        """What was kept for ``key``; ``None`` where nothing was.

        Raises :class:`harness.StoreError` for a file that is damaged or belongs to another run.
        """
        path = self.path(key)
        if not path.exists():
            return None
        content = read_plain(path)
        if content.get("identity") != self.identity or content.get("version") != VERSION:
            raise StoreError(f"the snapshot {path} belongs to another run or version ({content.get('identity')})",
                             "Remove it; training then starts over")
        return content

    def clear(self) -> None:
        """Forget everything: the run is recorded."""
        if self.folder.exists():
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()
            with suppress(OSError):  # other runs may be unfinished
                self.folder.parent.rmdir()


def restore_random(content: Mapping[str, Any]) -> None:
    """Set every random generator as it was when the snapshot was written."""
    states = content["random"]
    random.setstate((states["python"][0], tuple(states["python"][1]), states["python"][2]))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


def _random_states() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {"python": [version, list(words), gauss], "numpy": [str(kind), np.asarray(keys).tolist(), *rest],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}
