"""A killed training goes on where it was, and ends with the same weights, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from killed_worker import BUDGET
from safetensors.torch import load_file
from toy_method import trained

from harness import StoreError
from harness.training.snapshot import Snapshots

STEPS = 20


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, torch.Tensor]:
    return trained(BUDGET).model.state_dict()


def run(folder: Path, stop_after: int, how: str) -> int:
    worker = Path(__file__).with_name("killed_worker.py")
    return subprocess.run([sys.executable, str(worker), str(folder), str(stop_after), how], check=False,
                          capture_output=True).returncode


@pytest.mark.parametrize(("stop_after", "how"), [(1, "SIGKILL"), (7, "SIGKILL"), (13, "SIGKILL"), (20, "SIGKILL"),
                                                 (4, "SIGINT"), (15, "SIGTERM")])
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, undisturbed: dict[str, torch.Tensor],
                                                      stop_after: int, how: str) -> None:
    assert run(tmp_path, stop_after, how) != 0
    assert not (tmp_path / "weights.safetensors").exists()
    assert run(tmp_path, 0, "SIGKILL") == 0
    resumed = load_file(tmp_path / "weights.safetensors")
    assert resumed.keys() == undisturbed.keys()
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in resumed)


def test_a_resumed_training_does_only_what_is_missing(tmp_path: Path) -> None:
    assert run(tmp_path, 13, "SIGKILL") != 0
    first = torch.load(tmp_path / "snapshots" / "0-first.pt", weights_only=True)
    second = torch.load(tmp_path / "snapshots" / "1-second.pt", weights_only=True)
    assert (first["step"], second["step"]) == (10, 2)  # the 13th step was done, but not kept


def test_snapshots_change_nothing(tmp_path: Path, undisturbed: dict[str, torch.Tensor]) -> None:
    context = trained(BUDGET, tmp_path)
    assert all(torch.equal(tensor, undisturbed[name]) for name, tensor in context.model.state_dict().items())
    notes = trained(BUDGET, tmp_path).notes  # finished stages are read, not trained again
    assert notes == context.notes


def test_a_snapshot_of_another_run_is_refused(tmp_path: Path) -> None:
    trained("steps=2", tmp_path)
    with pytest.raises(StoreError, match="belongs to another run") as error:
        trained("steps=2", tmp_path, identity="other")
    assert "Remove it" in error.value.remedy


def test_a_damaged_snapshot_is_said(tmp_path: Path) -> None:
    trained("steps=2", tmp_path)
    path = tmp_path / "0-first.pt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"0-first\.pt cannot be read"):
        trained("steps=2", tmp_path)


def test_clear_forgets_everything(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "run", "x")
    snapshots.clear()
    snapshots.write("a", {"step": 1})
    snapshots.clear()
    assert snapshots.read("a") is None
    assert not (tmp_path / "run").exists()
