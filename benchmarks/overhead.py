"""What the harness costs around calibrating and evaluating: place, cost, record and store, as a share of a run.

Runs a method at mini scale (or on a random DeiT-T shape with ``--data``) in this process, from the built
workspace on, and compares the whole with the time inside the phases ``calibrate`` and ``evaluate``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from harness.cli.progress import TerminalProgress
from harness.engine.plan import make_plan
from harness.engine.runner import Runner
from harness.engine.study import make_study
from harness.registry import registry
from harness.results.storage.store import Store


def main() -> None:
    """Print the share."""
    from rich.console import Console

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="minmax")
    parser.add_argument("--bits", default="8/8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", help="ImageNet folder, for the full scale")
    parser.add_argument("--weights")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        study = make_study({"methods": arguments.method, "task": "imagenet", "bits": arguments.bits,
                            "scale": "full" if arguments.data else "mini", "data": arguments.data,
                            "weights": arguments.weights, "limit": arguments.limit})
        progress = TerminalProgress(Console(quiet=True))
        runner = Runner(registry(), store, progress, progress.announce)
        runs = runner.execute(make_plan(study, registry(), store))
        next(runs)  # the reference: builds the workspace and fills the picture cache
        start = time.perf_counter()
        (finished,) = runs
        whole = time.perf_counter() - start
    if finished.record is None:
        raise SystemExit(finished.reason)
    inside = sum(finished.record.timings[phase] for phase in ("calibrate", "evaluate"))
    print(f"{finished.run.label}: {whole:.2f} s, of which calibrate and evaluate {inside:.2f} s; "
          f"overhead {100 * (whole - inside) / inside:.1f} %")


if __name__ == "__main__":
    main()
