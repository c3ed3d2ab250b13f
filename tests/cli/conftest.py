"""Fixtures for trying the command as a user does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from real_command import COMMAND, environment


@pytest.fixture
def harness(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``harness("run", "--methods", ...)`` in an empty folder; results go to ``tmp_path/results``."""
    def call(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], cwd=tmp_path, env=environment(**extra), capture_output=True,
                              text=True, timeout=120, check=False)
    return call


@pytest.fixture
def records(tmp_path: Path) -> Callable[[], dict[str, dict]]:
    """The records so far, by method, bits and seed: ``"minmax 4/4 s0"``."""
    def read() -> dict[str, dict]:
        found = {}
        for path in sorted((tmp_path / "results").glob("records/*/*.json")):
            record = json.loads(path.read_text())
            asked = record["asked"]
            found[f"{asked['method']} {asked['bits']} s{asked['seed']}"] = record
        return found
    return read
