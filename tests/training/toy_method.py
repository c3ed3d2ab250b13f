"""A method that trains, for the tests: straight-through uniform quantizers, and stages as they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import Bits, Context, Loss, LossOptions, Monitor, Partition, Quantizer, Stage, Step, TrainingOptions
from harness.testing.toy import toy_context
from harness.training.snapshot import Snapshots

TRAINING = TrainingOptions(batch_size=4, learning_rate=1e-3, clip_norm=1.0)


class Halving(Quantizer):
    """Rounds to multiples of a trained step."""

    def __init__(self) -> None:
        super().__init__()
        self.partition = Partition.tensor()
        self.step = nn.Parameter(torch.full((1,), 0.05))

    def quantize(self, tensor: Tensor) -> Tensor:
        scaled = tensor / self.step
        return (scaled + (scaled.round() - scaled).detach()) * self.step

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "halving", "bits": 8, "granularity": "tensor", "groups": 1, "dynamic": False}


class Noisy(Loss[LossOptions]):
    """Cross-entropy with a random factor from the global generator, and a memory of how often it was asked."""

    asked: Tensor

    def __init__(self, options: LossOptions | None = None) -> None:
        super().__init__(options or LossOptions())
        self.register_buffer("asked", torch.zeros((), dtype=torch.int64))

    def forward(self, step: Step) -> Tensor:
        self.asked += 1
        return step.task_loss * (1 + 0.1 * torch.rand(()))


class Counter(Monitor):
    """How many steps there were."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, step: Step) -> None:
        self.steps += 1

    def notes(self) -> dict[str, Any]:
        return {"counted": int(self.steps)}


def trained(budget: str, folder: Path | None = None, seconds: float = 0.0, identity: str = "toy") -> Context:
    """A context after two stages."""
    torch.manual_seed(0)
    snapshots = None if folder is None else Snapshots(folder, identity, seconds)
    context = toy_context(Bits(8, 8), budget=budget, snapshots=snapshots)
    for path, site in context.model.sites.items():
        if site.is_weight:
            context.model.place(path, Halving())
    context.train(Stage("first", TRAINING, [Noisy()], share=0.5, monitors=[Counter()]))
    context.train(Stage("second", TRAINING, [Noisy()], share=0.5, monitors=[Counter()]))
    return context
