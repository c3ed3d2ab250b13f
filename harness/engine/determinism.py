"""Same run, same machine, same numbers: everything random hangs on the run's seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

import numpy as np
import torch


def seed_everything(seed: int) -> torch.Generator:
    """Seed the global generators and return a fresh one of the run's own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.Generator().manual_seed(seed)


def draw(count: int, size: int, seed: int) -> list[int]:
    """``size`` distinct indices below ``count``: the calibration draw of ``seed``, the same for every method."""
    if size > count:
        raise ValueError(f"cannot draw {size} of {count} samples")
    return sorted(random.Random(seed).sample(range(count), size))


def fingerprint(ids: Sequence[str]) -> str:
    """SHA-256 of sample names, in order."""
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()
