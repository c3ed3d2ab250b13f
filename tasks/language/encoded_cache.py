"""Token ids on disk, so that each split is encoded once for a vocabulary and length. Light: no torch."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from harness import cache_folder, digest

from .encoding import Encoded, Encoding
from .split import GlueSplit


def encoded(split: GlueSplit, encoding: Encoding) -> Encoded:
    """The tokens of ``split``, from the cache of this machine where it has them."""
    import tokenizers

    folder = cache_folder("language/tokens")
    if folder is None:
        return encoding.encode(split.rows)
    # Another version of the library may find other tokens.
    key = digest([split.fingerprint, encoding.identity, f"tokenizers {tokenizers.__version__}"])
    file = folder / f"{key}.npz"
    found = _read(file)
    if found is None:
        found = encoding.encode(split.rows)
        _write(file, found)
    return found


def _read(file: Path) -> Encoded | None:
    """What the file holds; ``None`` where there is none, or a damaged one (the format has checksums)."""
    import numpy as np

    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return Encoded(arrays["tokens"], arrays["ends"], arrays["firsts"], int(arrays["truncated"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _write(file: Path, found: Encoded) -> None:
    import numpy as np

    temporary = file.with_suffix(f".{os.getpid()}.part")
    try:
        with temporary.open("wb") as opened:
            np.savez(opened, tokens=found.tokens, ends=found.ends, firsts=found.firsts, truncated=found.truncated)
        temporary.replace(file)
    except OSError:  # A full disk costs the next run some seconds, not this run its result.
        temporary.unlink(missing_ok=True)
