"""The main job on real pictures and a real checkpoint, where a machine has them (see tests/tasks/conftest.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
WEIGHTS = DATA / "weights" / "deit_tiny_patch16_224.safetensors"

pytestmark = pytest.mark.skipif(
    not WEIGHTS.exists(), reason=f"no {WEIGHTS.name}: set HARNESS_TEST_DATA to a folder with imagenet/ and weights/")


def test_methods_on_deit_tiny(tmp_path):
    """Min-max collapses at 4/4; instance-aware groups keep most of the accuracy (measured: results/README.md)."""
    command = [sys.executable, "-c", "from harness.cli import main; main()", "run", "--methods", "minmax,igqvit",
               "--task", "imagenet", "--scale", "full", "--model", "deit_tiny_patch16_224",
               "--data", str(DATA / "imagenet"), "--weights", str(WEIGHTS), "--bits", "4/4,8/8", "--limit", "128",
               "--set", "igqvit.search.alloc=uniform", "--results", str(tmp_path), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for path in tmp_path.glob("records/*/*.json"):
        record = json.loads(path.read_text())
        found[record["asked"]["method"], record["asked"]["bits"]] = record
    top1 = {key: record["metrics"]["top1"] for key, record in found.items()}
    full = top1["full_precision", "32/32"]
    assert full > 70
    assert top1["minmax", "4/4"] < 5
    assert top1["igqvit", "4/4"] > full - 16
    assert abs(top1["igqvit", "8/8"] - full) < 4
    assert abs(top1["minmax", "8/8"] - full) < 4
    coverage = found["igqvit", "4/4"]["coverage"]
    assert coverage["full_precision"] == []
    assert coverage["macs_outside_sites"] == 0
    assert not set(found["igqvit", "4/4"]["calibration"]["ids"]) & {"ILSVRC2012_val_00000355.jpg"}
