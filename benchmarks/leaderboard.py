"""How fast tables of many records are: makes records up in a temporary folder, then times the command on them.

Prints the time of building the index, of looking at it (of which listing the files, to see what was changed, is a
large part), the time and peak memory of ``harness table``, thrice, and the time of a look with ten new records.
``--one-task`` puts all records into one task.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.results.checksum import FIELD, checksum
from harness.results.record import FULL_PRECISION, Asked
from harness.results.record_file import safe
from harness.results.storage.store import Store

TASKS = ("imagenet", "coco-detr", "coco-maskrcnn", "coco-cascade-maskrcnn", "glue-cola", "glue-sst2", "glue-rte",
         "glue-mrpc", "glue-qnli", "glue-stsb")
BITS = [f"{weights}/{activations}" for weights in (2, 3, 4, 5, 6, 8) for activations in (2, 3, 4, 6, 8)][:20]
SITES, SAMPLES = 50, 2000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--one-task", action="store_true")
    parser.add_argument("--keep", type=Path, help="make the records in this folder, or use those that are there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        tasks = TASKS[:1] if arguments.one_task else TASKS
        methods = max(1, arguments.records // (len(tasks) * len(BITS) * 10))
        if not (folder / "records").exists():
            timed("records made", lambda: write_all(folder, [*runs(tasks, methods, range(10)),
                                                             *((task, FULL_PRECISION, "32/32", 0) for task in tasks)]))
        timed("index built", lambda: Store(folder).entries())
        timed("files of a task listed with their times", lambda: [
            file.stat() for file in os.scandir(folder / "records" / safe(tasks[0]))])
        timed("index looked at", lambda: Store(folder).entries())
        timed("index looked at, one task", lambda: Store(folder).entries(task=tasks[0]))
        timed("one method of one task", lambda: Store(folder).entries(task=tasks[0], method="method000"))
        for _ in range(3):
            command("table", "--task", tasks[0], "--format", "md", "--results", str(folder),
                    "--output", str(folder / "table.md"))
        seed = time.time_ns() % 2**32
        write_all(folder, list(runs(tasks[:1], 1, range(seed, seed + 1)))[:10])
        timed("index with 10 new records", lambda: Store(folder).entries(task=tasks[0]))
        size = Store(folder).folder / "index" / "records.sqlite"
        print(f"size of the index: {size.stat().st_size / 2**20:.0f} MiB")


def runs(tasks: tuple[str, ...], methods: int, seeds: range) -> Iterator[tuple[str, str, str, int]]:
    """Task, method, bits and seed of each record."""
    for seed, task, method, bits in itertools.product(seeds, tasks, range(methods), BITS):
        yield task, f"method{method:03}", bits, seed


def write_all(folder: Path, each: Iterable[tuple[str, str, str, int]]) -> None:
    """Write a record of each run."""
    for run in each:
        write(folder, *run)


def write(folder: Path, task: str, method: str, bits: str, seed: int) -> None:
    """Write a made-up record: most of what a real one holds, from a template, unchecked."""
    generator = np.random.default_rng([sum(task.encode()), int(method[6:]) if method[6:].isdigit() else 999, seed])
    width = sum(map(int, bits.split("/")))
    right = generator.random(SAMPLES) < 0.5 + width / 160 + sum(method.encode()) % 50 / 300
    configuration = {"head_bits": 8, "search": {"name": method, "options": {"bins": 2048, "rounds": 3}}}
    asked = Asked(task=task, scale="mini", model="vit_mini", method=method, bits=bits, seed=seed, fingerprint="d" * 64,
                  weights_hash="w" * 64, calibration_size=0 if method == FULL_PRECISION else 32,
                  configuration=configuration)
    identity = asked.identity
    data: dict[str, Any] = {
        "schema_version": 1, "asked": asked.model_dump(exclude={"budget"}), "identity": identity, "status": "ok",
        "metrics": {"top1": 100 * float(right.mean()), "top5": 99.0}, "main_metric": "top1",
        "per_sample": {"n": SAMPLES, "encoding": "bits",
                       "data": base64.b64encode(np.packbits(right).tobytes()).decode()},
        "reference": {"identity": "0" * 12, "value": 90.0}, "coverage": COVERAGE, "environment": ENVIRONMENT,
        "costs": {"macs": 10**9, "bops": {"plain": 1e8 * width, "qvit": 1e8 * width}, "parameters": 10**6,
                  "sizes": {"plain": 1e6 * width}},
        "timings": {"calibrate": float(generator.random()), "evaluate": 1.5},
        "peak_memory": int(generator.integers(2**30)), "created": "2025-01-02T03:04:05+00:00"}
    path = folder / "records" / safe(task) / f"{method}-vit_mini-{bits.replace('/', '-')}-s{seed}-{identity}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**data, FIELD: checksum(data)}), encoding="utf-8")


COVERAGE = {"full_precision": [], "not_run": [], "quantized": [
    {"bits": 4, "block": site // 5, "dynamic": False, "granularity": "tensor", "groups": 1, "role": "qkv",
     "quantizer": "uniform symmetric", "site": f"blocks.{site // 5}.attn.{site}.weight"} for site in range(SITES)]}
ENVIRONMENT = {"harness": "0.1.0", "python": "3.11.7", "packages": {"torch": "2.13.0", "timm": "1.0.31"},
               "platform": "Linux", "cpu": "a processor", "command": ["harness", "run", "--methods", "minmax"]}


def timed(what: str, action: Callable[[], object]) -> None:
    """Run ``action`` and print how long it took."""
    start, busy = time.perf_counter(), time.process_time()
    action()
    print(f"{what}: {time.perf_counter() - start:.2f} s, processor {time.process_time() - busy:.2f} s", flush=True)


def command(*words: str) -> None:
    """Time ``harness WORDS`` as a user runs it, in a process of its own."""
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, "-m", "harness", *words], os.environ)
    _, status, usage = os.wait4(process, 0)
    print(f"harness {words[0]}: {time.perf_counter() - start:.2f} s, processor "
          f"{usage.ru_utime + usage.ru_stime:.2f} s, {usage.ru_maxrss / 2**10:.0f} MiB, exit code "
          f"{os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
