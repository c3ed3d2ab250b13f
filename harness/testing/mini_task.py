"""A task at one scale with its model, built once for all the laws that look at it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.calibration import to_device
from ..engine.plan import resolve_task
from ..engine.workspace import adapters
from ..engine.writes import confined
from ..method import Batch, Samples, Scores, Task
from ..model.instrument import InstrumentedModel, instrument
from ..registry import registry
from ..request import TaskRequest


@dataclass
class Built:
    """A task, its full-precision model and its two sets of samples."""

    task: Task
    model: nn.Module
    pool: Samples
    evaluation: Samples

    def instrumented(self) -> InstrumentedModel:
        """A fresh instrumented copy of the model."""
        return instrument(copy.deepcopy(self.model), adapters(registry()))

    def batch(self, count: int) -> Batch:
        """The first evaluation samples, in one batch."""
        return next(iter(self.evaluation.batches(range(count), count)))

    @torch.no_grad()
    def scores(self, count: int, batch_size: int) -> Scores:
        """The metrics of the model on the first samples."""
        scorer = self.task.scorer()
        for batch in self.evaluation.batches(range(count), batch_size):
            scorer.update(self.task.forward(self.model, to_device(batch.inputs, torch.device("cpu"))), batch)
        return scorer.result()


@cache
def built(request: TaskRequest) -> Built:
    """The task as asked for; raises :class:`harness.HarnessError` where it cannot be had."""
    known = registry()
    with confined(known):  # where a law builds it, the user's folder is the working folder
        task: Task = known.component(known.tasks[request.task])(resolve_task(known, request))
        return Built(task, task.model().eval(), task.pool(), task.evaluation())


def count_of(inputs: Any) -> int:
    """How many samples are in a batch's inputs."""
    if isinstance(inputs, Mapping):
        return count_of(next(iter(inputs.values())))
    return len(inputs)


def tensors(value: Any) -> list[Tensor]:
    """Every tensor in mappings, lists and plain objects, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for each in value.values() for tensor in tensors(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors(each)]
    return tensors(list(vars(value).values())) if hasattr(value, "__dict__") else []


def equal(first: Any, second: Any) -> bool:
    """Whether all tensors in two values are the same."""
    ours, theirs = tensors(first), tensors(second)
    return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))
