"""Which checkpoint a run uses, and its hash. Light: no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .caches import file_hash


@dataclass(frozen=True)
class Weights:
    """A checkpoint file, or a seed of random weights."""

    hash: str
    path: str = ""
    seed: int | None = None

    @property
    def notice(self) -> str:
        """What has to be said about them with every figure; empty for a checkpoint."""
        return "" if self.seed is None else "RANDOM weights: figures mean nothing."


def file_weights(path: Path) -> Weights:
    """The checkpoint in ``path``. Raises :class:`DataError` if there is none."""
    if not path.is_file():
        raise DataError(f"no checkpoint file {path}", "Check the path given with --weights")
    return Weights(file_hash(path), str(path))


def asked_weights(text: str) -> Weights:
    """What ``--weights`` says: a file, ``random`` or ``random:SEED``."""
    match = re.fullmatch(r"random(?::(\d+))?", text)
    if match:
        seed = int(match[1] or 0)
        return Weights(f"random:{seed}", seed=seed)
    return file_weights(Path(text).expanduser())


def shipped_weights(model: str, path: Path) -> Weights:
    """The checkpoint of a mini model, which is a part of the installation."""
    if not path.is_file():
        raise DataError(f"the weights of {model} are missing from this installation ({path})",
                        "Install the package again, or use --weights random to try things out")
    return file_weights(path)
