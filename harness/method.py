"""What a method, a search and a task are to the engine: three small base classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol

import torch
from torch import Tensor

from .errors import DataError, OptionError
from .options import Choice, OptionsType
from .request import Bits, Resolved

if TYPE_CHECKING:
    from .engine.calibration import Calibration
    from .model.instrument import InstrumentedModel
    from .registry import Registry
    from .training.stage import Stage
    from .training.trainer import Trainer
    from .training.views import TrainingSamples


class Progress(Protocol):
    """Where long work reports to: ``with progress("search", total=12) as advance: advance()``.

    ``advance`` takes a short text that is shown beside the bar, such as the present loss.
    """

    def __call__(self, what: str, total: int) -> AbstractContextManager[Callable[..., None]]: ...


@dataclass
class Context:
    """Everything that the engine hands to a method and its searches.

    ``calibration`` was drawn by the harness and is the same for all methods. ``divergence`` compares
    the responses of two models to the same inputs (classification: KL of the class probabilities; mean
    over samples). ``generator`` is seeded by the run and is the only source of randomness to use.
    ``kind`` is the task's (see :class:`harness.TaskSpec`). ``trainer`` trains on the task; ``None`` where a task
    has nothing to learn from. ``allocation``: site path -> bits, where a search of mixed precision has chosen
    them; :meth:`trial` tries another one.
    """

    model: InstrumentedModel
    calibration: Calibration
    bits: Bits
    registry: Registry
    divergence: Callable[[Any, Any], Tensor]
    generator: torch.Generator
    progress: Progress
    notes: dict[str, Any] = field(default_factory=dict)
    kind: str = "classification"
    trainer: Trainer | None = None
    allocation: dict[str, int] = field(default_factory=dict)
    make_trial: Callable[[dict[str, int]], Context] | None = None

    def search(self, choice: Choice) -> None:
        """Run the chosen search on the model."""
        self.registry.create(self.registry.searches, choice).run(self)

    def train(self, stage: Stage) -> None:
        """Train the model for one stage. Raises :class:`harness.OptionError` where the task cannot."""
        self._trainer.fit(self, stage)

    def score(self, count: int) -> Scores:
        """The task's metrics of the model on ``count`` training samples; for searches, which see no other."""
        return self._trainer.score(self.model, count)

    def trial(self, allocation: Mapping[str, int]) -> Context:
        """A fresh copy of the full-precision model with this run's method placed at other bits, and calibrated.

        ``allocation``: site path -> bits; sites that it leaves out have the run's. What is done to a
        trial does not touch this context.
        """
        if self.make_trial is None:
            raise OptionError("this context makes no trials", "Run the search from a method's allocate")
        return self.make_trial(dict(allocation))

    @property
    def _trainer(self) -> Trainer:
        if self.trainer is None:
            raise OptionError("this task has nothing to train with",
                              "Use a method that does not train, or another task")
        return self.trainer


class Search(ABC, Generic[OptionsType]):
    """Chooses quantizer parameters, bit-widths or groups, from calibration data."""

    def __init__(self, options: OptionsType) -> None:
        self.options = options

    @abstractmethod
    def run(self, context: Context) -> None:
        """Set the parameters of the quantizers that are placed on ``context.model``."""


class Method(ABC, Generic[OptionsType]):
    """A recipe: which quantizer on which site, the searches that set them, and the training.

    The engine calls :meth:`allocate`, :meth:`place`, :meth:`calibrate` and :meth:`train`. What a method wants
    remembered of its decisions (groups, bit-widths) goes into ``context.notes`` and from there into the record.
    """

    def __init__(self, options: OptionsType) -> None:
        self.options = options

    def allocate(self, context: Context) -> None:
        """Choose ``context.allocation``, where the bit-widths are searched for before anything is placed."""

    @abstractmethod
    def place(self, context: Context) -> None:
        """Put quantizers on the sites of ``context.model``."""

    @abstractmethod
    def calibrate(self, context: Context) -> None:
        """Set their parameters."""

    def train(self, context: Context) -> None:
        """Train the model with them, stage by stage (``context.train``); a method that does says so in its spec."""


class Batch(Protocol):
    """One batch: what the model takes, and what the scorer compares with."""

    inputs: Any
    targets: Any


class Samples(Protocol):
    """A fixed, ordered set of samples. ``ids`` name them across runs and machines."""

    ids: Sequence[str]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        """The samples at ``indices``, each once, ``size`` at a time.

        In order; where batches are of another order (of similar lengths, say), they tell the task's own scorer.
        """
        ...


class Scorer(Protocol):
    """Accumulates a task's metrics over an evaluation."""

    def update(self, outputs: Any, batch: Batch) -> None:
        """Take one batch."""
        ...

    def result(self) -> Scores:
        """The metrics of all batches so far."""
        ...


@dataclass(frozen=True)
class Scores:
    """``metrics``: name -> value (percent for accuracies), the task's main metric first.

    ``beside``: names of metrics that tables show beside the main one (mask AP beside box AP).
    ``per_sample``: what the main metric is computed from, in evaluation order, for paired statistics: where it is a
    mean, one number a sample (1/0 for right/wrong); else the columns of ``statistic`` by name
    (``harness.results.statistics.weighted`` says which). Empty where there is nothing of the kind. ``statistic``: the
    name of the main metric there; the harness checks that it gives the figure in ``metrics``.
    """

    metrics: Mapping[str, float]
    per_sample: Sequence[float] | Mapping[str, Any] = ()
    beside: tuple[str, ...] = ()
    statistic: str = "mean"


class Task(ABC):
    """A model, its data and its metric, at one scale.

    ``batch_size``: at most so many samples go through the model at a time; ``None`` leaves it to the user.
    ``training_batch_size``: at most so many views in a training step; ``None`` leaves it to the method.
    """

    batch_size: int | None = None
    training_batch_size: int | None = None

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved

    @abstractmethod
    def model(self) -> torch.nn.Module:
        """The full-precision model with its weights, in evaluation mode."""

    @abstractmethod
    def pool(self) -> Samples:
        """Where calibration samples are drawn from; never the evaluation split."""

    @abstractmethod
    def evaluation(self) -> Samples:
        """The evaluation split."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """A fresh accumulator of this task's metrics."""

    def example(self, evaluation: Samples) -> Any:
        """The inputs of the one sample whose forward costs are counted on, of those that :meth:`evaluation` gave.

        The first one, unless the sizes of samples differ: then one of the size that figures are given for.
        """
        return next(iter(evaluation.batches([0], 1))).inputs

    def training(self) -> TrainingSamples:
        """What methods train on, with the task's augmentation; never the evaluation split.

        The pool without augmentation, unless a task says otherwise.
        """
        from .training.views import Unaugmented

        return Unaugmented(self.pool())

    def training_scorer(self) -> Scorer:
        """A fresh accumulator of the metrics on training samples, which searches may look at."""
        return self.scorer()

    def objective(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        """The task's own training loss on a batch (a scalar), and the model's response to it.

        Where the response is extra work: a function without arguments that computes it, which is called at most
        once, and only if a loss asks. A task that can be trained overrides this and says so in its spec.
        """
        raise DataError(f"{self.resolved.task} has no training loss", "Use a method that does not train")

    def forward(self, model: torch.nn.Module, inputs: Any) -> Any:
        """The model's outputs on a batch's inputs, as the scorer takes them."""
        return model(inputs)

    def observed(self, model: torch.nn.Module, inputs: Any) -> Any:
        """The forward in which calibration looks at activations; its result is not used.

        :meth:`forward`, unless that goes on with what the model itself has chosen (a detector's proposals): then
        one that goes on with the same for all models, so that their activations correspond row by row.
        """
        return self.forward(model, inputs)

    def response(self, model: torch.nn.Module, inputs: Any) -> Any:
        """What :meth:`divergence` compares: the predictions before anything is thrown away or sorted.

        Differentiable where the model is, and of one structure for all models on the same inputs. The
        outputs themselves, where those are logits.
        """
        return self.forward(model, inputs)

    def divergence(self, reference: Any, outputs: Any) -> Tensor:
        """How far the response ``outputs`` is from ``reference``: mean over samples, a scalar >= 0.

        Default: ``KL(softmax(reference) || softmax(outputs))`` of logits (batch, classes).
        """
        expected = torch.log_softmax(reference.double(), dim=-1)
        given = torch.log_softmax(outputs.double(), dim=-1)
        return (expected.exp() * (expected - given)).sum(-1).mean()
