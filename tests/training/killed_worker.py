"""Trains the toy in a process of its own; stops itself hard, or softly, after so many steps."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from toy_method import Counter, trained

from harness import Step

BUDGET = "steps=20"


def main() -> None:
    folder, stop_after, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    count = 0
    plain = Counter.forward

    def counting(self: Counter, step: Step) -> None:
        nonlocal count
        plain(self, step)
        count += 1
        if count == stop_after:
            os.kill(os.getpid(), signal.Signals[how])

    Counter.forward = counting  # type: ignore[method-assign]
    # Hard kills find a snapshot of some step before; soft ones take one of their own.
    context = trained(BUDGET, folder / "snapshots", seconds=0.0 if how == "SIGKILL" else 1e9)
    save_file({name: tensor.contiguous() for name, tensor in context.model.state_dict().items()},
              folder / "weights.safetensors")


if __name__ == "__main__":
    main()
