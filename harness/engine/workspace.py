"""What the runs on one task, model and data share: built once, used by all."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from ..errors import DataError, PluginError
from ..method import Progress, Scores, Task
from ..model.instrument import Adapter, InstrumentedModel, instrument
from ..registry import Registry
from ..request import Resolved, TaskRequest
from ..specs import AdapterSpec
from ..training.budget import Budget
from ..training.processes import Processes
from ..training.snapshot import Snapshots
from ..training.trainer import Trainer
from .calibration import Calibration, to_device
from .determinism import draw
from .finite import refuse_nan_outputs, refuse_nan_scores
from .intact import Kept
from .plan import resolve_task

CALIBRATION_BATCH = 8
"""Samples observed at a time: small, because what methods keep of a batch comes on top of the forward's memory."""


class Workspace:
    """The task, its full-precision model and its samples."""

    def __init__(self, resolved: Resolved, registry: Registry, device: str, batch_size: int,
                 processes: Processes | None = None) -> None:
        self.resolved, self.device, self._registry = resolved, torch.device(device), registry
        self._processes = processes
        self.task: Task = registry.component(registry.tasks[resolved.task])(resolved)
        self.batch_size = min(batch_size, self.task.batch_size or batch_size)
        self.model = self.task.model().eval().to(self.device)
        self.evaluation = self.task.evaluation()
        self.adapters = adapters(registry)
        self._kept = [Kept("the full-precision model", self.model)]

    def instrumented(self, name: str | None = None) -> InstrumentedModel:
        """A fresh instrumented copy of the model, or of the task's model ``name`` with its own weights.

        Raises :class:`harness.HarnessError` for a name that the task does not know on this data.
        """
        return instrument(copy.deepcopy(self.model) if name is None else self._other(name), self.adapters)

    def _other(self, name: str) -> torch.nn.Module:
        data = self.resolved.locations.get("data") if self.resolved.scale == "full" else None
        other = resolve_task(self._registry, TaskRequest(self.resolved.task, self.resolved.scale, name, data))
        task: Task = self._registry.component(self._registry.tasks[self.resolved.task])(other)
        return task.model().eval().to(self.device)

    def trainer(self, budget: Budget, seed: int, progress: Progress, snapshots: Snapshots | None) -> Trainer:
        """The trainer of one run."""
        return Trainer(self.task, budget, seed, progress, self.device, self._teacher, snapshots, self._processes)

    def _teacher(self, name: str | None) -> InstrumentedModel:
        teacher = self.instrumented(name).eval()
        self._kept.append(Kept("the teacher", teacher))
        return teacher

    def change(self) -> str:
        """What has been changed of the models that no run may change; empty where nothing was.

        Called after a run: teachers are forgotten then.
        """
        found = [change for kept in self._kept if (change := kept.change())]
        del self._kept[1:]
        return "; ".join(found)

    def calibration(self, size: int, seed: int) -> Calibration:
        """The calibration set of ``seed``; raises :class:`DataError` if the pool is smaller than ``size``."""
        pool = self.task.pool()
        if size > len(pool.ids):
            raise DataError(f"{size} calibration samples asked for, but {self.resolved.task} has {len(pool.ids)}",
                            f"Use --calibration {len(pool.ids)} or fewer")
        calibration = Calibration(pool, draw(len(pool.ids), size, seed), self.task.observed,
                                  min(CALIBRATION_BATCH, self.task.batch_size or CALIBRATION_BATCH), self.device,
                                  response=self.task.response)
        overlap = set(calibration.ids) & set(self.evaluation.ids)
        if overlap:
            raise DataError(f"calibration sample {min(overlap)!r} is also in the evaluation split",
                            "Give the task a training split that is disjoint from its evaluation split")
        return calibration

    @torch.no_grad()
    def evaluate(self, model: torch.nn.Module, limit: int | None, progress: Progress, source: str = "the model"
                 ) -> Scores:
        """The task's metrics of ``model`` on the first ``limit`` evaluation samples (all by default).

        Raises :class:`harness.QuantizationError` for NaN, which it says to come from ``source``.
        """
        count = len(self.evaluation.ids) if limit is None else min(limit, len(self.evaluation.ids))
        scorer = self.task.scorer()
        with progress("evaluate", -(-count // self.batch_size)) as advance:
            for batch in self.evaluation.batches(range(count), self.batch_size):
                outputs = self.task.forward(model, to_device(batch.inputs, self.device))
                refuse_nan_outputs(outputs, source)
                scorer.update(outputs, batch)
                advance()
        scores = scorer.result()
        refuse_nan_scores(scores, source)
        return scores

    def one_forward(self) -> Callable[[torch.nn.Module], object]:
        """A function that runs a model on one sample (see :meth:`harness.Task.example`), for tracing."""
        inputs = to_device(self.task.example(self.evaluation), self.device)
        return lambda model: self.task.forward(model, inputs)


def adapters(registry: Registry) -> dict[str, Adapter]:
    """Attention class -> function that makes its twin; raises :class:`PluginError` where two claim a class."""
    found: dict[str, AdapterSpec] = {}
    for spec in registry.adapters.values():
        other = found.setdefault(spec.attention, spec)
        if other is not spec:
            raise PluginError(f"{spec.attention} has two adapters: {other.name!r} of {other.plugin} and "
                              f"{spec.name!r} of {spec.plugin}", "Block one of the plugins with HARNESS_BLOCK_PLUGINS")
    return {attention: _imported_when_used(registry, spec) for attention, spec in found.items()}


def _imported_when_used(registry: Registry, spec: AdapterSpec) -> Adapter:
    """An adapter may need a library that this run does not."""
    return lambda original: registry.component(spec)(original)
