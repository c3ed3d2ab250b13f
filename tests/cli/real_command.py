"""The real command in a process of its own, with the toy plugin of tests/toy beside the built-in ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TOY = Path(__file__).parents[1] / "toy"
COMMAND = [sys.executable, "-c", "from harness.cli import main; main()"]


def environment(**extra: str) -> dict[str, str]:
    """A process environment with the toy plugin, one thread, and no colours."""
    path = os.pathsep.join(part for part in (str(TOY), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1", **extra}
