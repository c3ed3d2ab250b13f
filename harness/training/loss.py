"""The base of losses and monitors, and what they see of a training step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torch import Tensor, nn

from .options import LossOptions
from .views import View

if TYPE_CHECKING:
    from ..method import Batch, Context
    from ..model.instrument import InstrumentedModel

LossOptionsType = TypeVar("LossOptionsType", bound=LossOptions)


@dataclass
class Seen:
    """One forward of one model: its outputs, and the tensors at the places that losses watch."""

    outputs: Any
    sites: Mapping[str, Tensor]


@dataclass
class Step:
    """One training step, as losses see it: after the student's forward, before the backward.

    ``response``: what :meth:`harness.Task.objective` gave beside the loss; losses take :attr:`outputs`. ``sites``:
    path -> tensor, with gradients, for the sites (before the quantizer) and modules that were asked for.
    ``task_loss``: the task's own loss. ``progress``: share of this stage's steps that are done, 0 to 1.
    ``run_teacher`` runs the teacher without gradients; :attr:`teacher` does so once, on the same batch.
    """

    model: InstrumentedModel
    batch: Batch
    views: Sequence[View]
    response: Any
    task_loss: Tensor
    sites: Mapping[str, Tensor]
    number: int
    progress: float
    run_teacher: Callable[[Batch], Seen]
    _taught: Seen | None = field(default=None, repr=False)

    @cached_property
    def outputs(self) -> Any:
        """The student's response to the batch (see :meth:`harness.Task.response`), with gradients."""
        return self.response() if callable(self.response) else self.response

    @property
    def teacher(self) -> Seen:
        """The teacher's outputs and sites on this batch."""
        if self._taught is None:
            self._taught = self.run_teacher(self.batch)
        return self._taught


class Loss(nn.Module, ABC, Generic[LossOptionsType]):
    """One term of a training objective. What it must remember between steps is a buffer (it is saved)."""

    def __init__(self, options: LossOptionsType) -> None:
        super().__init__()
        self.options = options

    def prepare(self, context: Context) -> None:
        """Called once, before the first step of a stage (also of one that is resumed)."""

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        """What the loss needs of the student and of the teacher: paths of sites (their tensors before the quantizer)
        or of modules (their outputs)."""
        return ()

    def weight(self, progress: float) -> float:
        """Factor of the term; a schedule overrides it."""
        return self.options.weight

    @abstractmethod
    def forward(self, step: Step) -> Tensor:
        """The term, a scalar, before its weight."""


class Monitor(nn.Module, ABC):
    """Watches training without taking part in it. What it must remember between steps is a buffer (it is saved)."""

    def prepare(self, context: Context) -> None:
        """Called once, before the first step of a stage (also of one that is resumed)."""

    @abstractmethod
    def forward(self, step: Step) -> None:
        """Called after each optimizer step."""

    def notes(self) -> dict[str, Any]:
        """Plain data for the record, after the last step."""
        return {}
