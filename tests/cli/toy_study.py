"""A study of the toy task that takes seconds, and its results folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from real_command import COMMAND, environment

STUDY = """\
methods = ["minmax", "toy_noise"]
task = "toy"
bits = ["4/4"]
calibration = 8
threads = 1
"""


def toy_results(folder: Path) -> Path:
    """``folder/results`` with the study as ``studies/ci.toml`` and its records: full precision and two methods."""
    study = folder / "results" / "studies" / "ci.toml"
    study.parent.mkdir(parents=True)
    study.write_text(STUDY)
    subprocess.run([*COMMAND, "run", "results/studies/ci.toml"], cwd=folder, env=environment(), check=True,
                   capture_output=True, timeout=120)
    return folder / "results"
