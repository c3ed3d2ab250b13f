"""The trainer: runs the stages of a method on the task's training samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..engine.calibration import to_device
from ..errors import DataError
from ..method import Batch, Progress, Scores, Task
from ..model.instrument import InstrumentedModel
from ..options import Choice
from .budget import Budget
from .fitting import Fitting
from .loss import Loss, Seen
from .processes import Processes
from .snapshot import Snapshots
from .stage import Stage
from .views import TrainingSamples, View, ViewStream
from .watch import watching

if TYPE_CHECKING:
    from ..method import Context


class Trainer:
    """Trains models on a task, for as long as the run's budget says.

    ``instrumented(name)`` makes a fresh instrumented copy of the full-precision model, or of the task's model of
    another name. ``snapshots``: where unfinished training is kept; ``None``: nowhere. ``processes``: those that train
    the model together.
    """

    def __init__(self, task: Task, budget: Budget, seed: int, progress: Progress, device: torch.device,
                 instrumented: Callable[[str | None], InstrumentedModel], snapshots: Snapshots | None = None,
                 processes: Processes | None = None) -> None:
        self.task, self.budget, self.seed, self.progress, self.device = task, budget, seed, progress, device
        self.snapshots, self.processes = snapshots, processes or Processes()
        self._instrumented = instrumented
        self._teachers: dict[str | None, InstrumentedModel] = {}
        self._stages = 0

    def without_snapshots(self) -> Trainer:
        """The same trainer for what need not survive a crash; samples and teachers are shared."""
        other = copy.copy(self)
        other.snapshots = None
        return other

    @cached_property
    def samples(self) -> TrainingSamples:
        """What is learnt from; never the evaluation split."""
        samples = self.task.training()
        if not len(samples.ids):
            raise DataError(f"{self.task.resolved.task} has no training samples", "Give the task its train split")
        return samples

    def stream(self, stage: Stage) -> ViewStream:
        """The views of the stage's steps."""
        training = stage.training
        most = self.task.training_batch_size
        return ViewStream(len(self.samples.ids), min(training.batch_size, most or training.batch_size), self.seed,
                          training.crops, training.crop_bank)

    def steps(self, stage: Stage) -> int:
        """How many steps the budget gives the stage."""
        return self.budget.steps_of(stage.share, stage.training.epochs, self.stream(stage).steps_per_epoch)

    def load(self, views: Sequence[View]) -> Batch:
        """A batch of views, on the device."""
        batch = self.samples.batch(views)
        batch.inputs, batch.targets = to_device(batch.inputs, self.device), to_device(batch.targets, self.device)
        return batch

    def teacher(self, name: str | None = None) -> InstrumentedModel:
        """The teacher: the task's model ``name``, by default the model itself, in full precision and frozen."""
        if name not in self._teachers:
            self._teachers[name] = self._instrumented(name).eval().requires_grad_(False)
        return self._teachers[name]

    def run_teacher(self, teacher: InstrumentedModel, watched: Sequence[str], batch: Batch) -> Seen:
        """One forward of ``teacher`` without gradients. ``watched``: what to keep (see :func:`watching`).

        Raises :class:`harness.QuantizationError` for a teacher without these places.
        """
        with torch.no_grad(), watching(teacher, watched) as sites:
            return Seen(self.task.response(teacher, batch.inputs), sites)

    def fit(self, context: Context, stage: Stage) -> None:
        """Train ``context.model`` for one stage; goes on from a snapshot where there is one.

        Notes what was done in ``context.notes["training"]``. Raises :class:`harness.QuantizationError` when the
        training diverges; Ctrl-C keeps a snapshot and raises :class:`KeyboardInterrupt`.
        """
        losses = [self._loss(context, term) for term in stage.losses]
        fitting = Fitting(self, context, stage, losses, key=f"{self._stages}-{stage.name}")
        self._stages += 1
        context.notes.setdefault("training", []).append(fitting.run())

    def _loss(self, context: Context, term: Choice | Loss[Any]) -> Loss[Any]:
        loss: Loss[Any] = (context.registry.create(context.registry.losses, term) if isinstance(term, Choice)
                           else term)
        return loss.to(self.device)

    @torch.no_grad()
    def score(self, model: nn.Module, count: int, batch_size: int = 64) -> Scores:
        """The task's metrics on ``count`` training samples, the same for every call of a run, as they are evaluated.

        For searches, which must not see the evaluation split.
        """
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(self.samples.ids), generator=generator)[:count].tolist()
        scorer, training = self.task.training_scorer(), [module for module in model.modules() if module.training]
        model.eval()
        batch_size = min(batch_size, self.task.batch_size or batch_size)
        for start in range(0, len(chosen), batch_size):
            batch = self.load([View(index) for index in chosen[start:start + batch_size]])
            scorer.update(self.task.forward(model, batch.inputs), batch)
        for module in training:  # one by one: a model in evaluation mode may be wrapped in a module that is not
            module.training = True
        return scorer.result()
