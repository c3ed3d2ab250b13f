"""A stage of training: what a method asks the engine to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..model.instrument import InstrumentedModel
from ..options import Choice
from .loss import Loss, Monitor
from .options import TrainingOptions


@dataclass(frozen=True)
class Group:
    """How one group of parameters is trained.

    ``learning_rate``: peak; ``None``: the stage's. ``weight_decay``: ``None``: the stage's for ``weights``, 0 for
    all others. ``until``: share of the stage's steps after which the group stays as it is; 0: it is not trained.
    """

    learning_rate: float | None = None
    weight_decay: float | None = None
    until: float = 1.0


@dataclass(frozen=True)
class Stage:
    """One stretch of training with one optimizer and one schedule.

    ``losses``: components by name, or losses that the method made. ``share``: of the run's budget (the
    shares of a method's stages add up to 1; what its searches train comes on top). ``groups``: name -> how it is
    trained; the model's own parameters are ``weights`` (matrices) and ``others`` (biases, norms, embeddings of
    positions), those of quantizers are in the groups that :meth:`harness.Quantizer.parameter_group` names.
    ``teacher``: a model of the method's own that distillation learns from (a student of an earlier stage); ``None``:
    the one that ``training.teacher`` names.
    """

    name: str
    training: TrainingOptions
    losses: Sequence[Choice | Loss]
    share: float = 1.0
    groups: Mapping[str, Group] = field(default_factory=dict)
    monitors: Sequence[Monitor] = ()
    teacher: InstrumentedModel | None = None
