"""Two processes that share every batch train as one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness import OptionError, View
from harness.results.storage.store import Store
from harness.training.processes import Parallel, Processes

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    worker = str(Path(__file__).with_name("parallel_worker.py"))
    for command in ([sys.executable, worker], [*TORCHRUN, worker]):
        done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    alone, first, second = (load_file(tmp_path / f"weights-{name}.safetensors")
                            for name in ("0-of-1", "0-of-2", "1-of-2"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.allclose(first[name], alone[name], atol=1e-5) for name in alone)
    untrained = load_file(tmp_path / "weights-0-of-1.safetensors")
    assert untrained.keys() == first.keys()


def test_a_run_of_two_processes_leaves_one_record(tmp_path: Path) -> None:
    done = subprocess.run([*TORCHRUN, "-m", "harness", "run", "--methods", "lsq", "--task", "imagenet", "--scale",
                           "mini", "--bits", "8/8", "--budget", "steps=2", "--limit", "32", "--results", str(tmp_path)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 of 2 runs to do") == 1, "only the first process speaks"
    records, unreadable = Store(tmp_path).records()
    assert sorted(record.asked.method for record in records) == ["full_precision", "lsq"]
    assert not unreadable


def test_a_batch_is_shared_in_equal_parts() -> None:
    views = [View(index) for index in range(7)]
    parts = []
    for rank in range(3):
        process = Parallel.__new__(Parallel)
        process.rank, process.count = rank, 3
        parts.append(list(process.share(views)))
    assert parts == [views[:2], views[2:4], views[4:6]]
    with pytest.raises(OptionError, match="cannot be shared by 3"):
        process.share(views[:2])


def test_one_process_does_everything_itself() -> None:
    alone = Processes()
    assert alone.speaks
    assert alone.told(3) == 3
    assert alone.mean(2.5) == 2.5
