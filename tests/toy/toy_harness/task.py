from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness import Resolved, Scores, Task


@dataclass
class Batch:
    inputs: Tensor
    targets: Tensor


class Noise:
    def __init__(self, split: str, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.ids = [f"{split}/{index}" for index in range(count)]
        self.inputs = torch.randn(count, 16, generator=generator)
        self.targets = self.inputs[:, :4].argmax(1)

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        indices = list(indices)
        for start in range(0, len(indices), size):
            chosen = indices[start:start + size]
            yield Batch(self.inputs[chosen], self.targets[chosen])


class Top1:
    def __init__(self) -> None:
        self.right: list[float] = []

    def update(self, outputs: Tensor, batch: Batch) -> None:
        self.right += (outputs.argmax(1) == batch.targets).float().tolist()

    def result(self) -> Scores:
        return Scores({"top1": 100 * sum(self.right) / len(self.right)}, tuple(self.right))


class ToyTask(Task):
    def model(self) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
        with torch.no_grad():
            model[0].weight.copy_(torch.eye(16) + 0.05 * torch.randn(16, 16))
            model[2].weight.copy_(torch.eye(16)[:4] + 0.05 * torch.randn(4, 16))
            if self.resolved.model == "toy_nan":
                model[0].weight[0, 0] = float("nan")
        return model

    def __init__(self, resolved: Resolved) -> None:
        super().__init__(resolved)

    def pool(self) -> Noise:
        return Noise("train", 64, 1)

    def evaluation(self) -> Noise:
        return Noise("test", 200, 2)

    def scorer(self) -> Top1:
        return Top1()
