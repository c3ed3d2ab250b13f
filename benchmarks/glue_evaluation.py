"""What evaluation costs: the harness's, against ``Trainer.evaluate`` of transformers on the same model and sentences.

    python benchmarks/glue_evaluation.py --weights FOLDER --data FOLDER --task glue-rte --sentences 128 --threads 1

Both evaluate in turn in one process, each with its own way of making batches (the harness sorts sentences by length,
the Trainer pads them in the order of the split), and from sentences that are tokenised already. The ratio is that of
the medians; below 1 the harness is faster. Both must find the same accuracy. ``--cpu-time`` counts the time of the
process (with --threads 1, on a busy machine). ``--weights`` may be ``random``, with a vocab.txt in the data folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the Trainer would take a GPU by itself

import numpy as np
import torch

from harness import TaskRequest, ensure_torchvision
from harness.engine.allocator import keep_freed_memory
from harness.engine.plan import resolve_task
from harness.engine.workspace import Workspace
from harness.registry import registry

ensure_torchvision()
from transformers import PrinterCallback, Trainer, TrainingArguments  # noqa: E402 - needs an importable torchvision


@contextmanager
def no_progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A bar would be measured too."""
    yield lambda *_: None


def sentences(workspace: Workspace, count: int) -> list[dict[str, list[int]]]:
    """The first sentences in their order and without padding, as the Trainer's data set."""
    found: list[dict[str, Any]] = [{}] * count
    for batch in workspace.evaluation.batches(range(count), 1):
        row = {name: tensor[0].tolist() for name, tensor in batch.inputs.items()}
        found[int(batch.positions)] = {**row, "labels": batch.targets[0].item()}
    return found


def collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Each batch padded to its longest sentence, as transformers' DataCollatorWithPadding does."""
    width = max(len(row["input_ids"]) for row in rows)
    names = [name for name in rows[0] if name != "labels"]
    padded = {name: torch.tensor([row[name] + [0] * (width - len(row[name])) for row in rows]) for name in names}
    return {**padded, "labels": torch.tensor([row["labels"] for row in rows])}


def trainer(workspace: Workspace, batch_size: int, folder: str) -> Trainer:
    """Transformers' own evaluation of the workspace's model."""
    given = TrainingArguments(folder, per_device_eval_batch_size=batch_size, report_to=[], disable_tqdm=True,
                              use_cpu=True, dataloader_pin_memory=False)
    made = Trainer(workspace.model, given, data_collator=collator, compute_metrics=lambda found: {
        "accuracy": float(np.mean(found.predictions.argmax(1) == found.label_ids))})
    made.remove_callback(PrinterCallback)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="glue-rte", choices=("glue-rte", "glue-sst2", "glue-qnli"))
    parser.add_argument("--data", help="folder of GLUE (default: the mini language)")
    parser.add_argument("--weights", help="a checkpoint's folder, or random")
    parser.add_argument("--model")
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.cpu_time else time.perf_counter
    resolved = resolve_task(registry(), TaskRequest(given.task, data=given.data, weights=given.weights,
                                                    model=given.model))
    workspace = Workspace(resolved, registry(), "cpu", given.batch)
    count = min(given.sentences, len(workspace.evaluation.ids))
    with tempfile.TemporaryDirectory() as folder:
        theirs, rows = trainer(workspace, given.batch, folder), sentences(workspace, count)
        runs: dict[str, Callable[[], float]] = {
            "Trainer.evaluate": lambda: 100 * theirs.evaluate(rows)["eval_accuracy"],
            "harness": lambda: workspace.evaluate(workspace.model, count, no_progress).metrics["accuracy"]}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for repeat in range(given.repeats + 1):
            found = {}
            for name, run in runs.items():
                start = clock()
                found[name] = run()
                if repeat:  # the first one warms caches and the allocator
                    times[name].append(clock() - start)
            if abs(found["harness"] - found["Trainer.evaluate"]) > 1e-3:
                raise SystemExit(f"the accuracies differ: {found}")
    seconds = {name: statistics.median(values) for name, values in times.items()}
    for name, value in seconds.items():
        print(f"{given.task} {resolved.model} {count} sentences, batch {given.batch}, threads {given.threads}  "
              f"{name:16}  {value:7.2f} s  {value / seconds['Trainer.evaluate']:.3f} x Trainer")


if __name__ == "__main__":
    main()
