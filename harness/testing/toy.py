"""A task of noise, and a :class:`harness.Context` around the tiny transformer that calibrates and trains on it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..engine.calibration import Calibration
from ..engine.trial import make_trial
from ..method import Batch, Context, Method, Samples, Scorer, Scores, Task
from ..model.instrument import InstrumentedModel, instrument
from ..registry import registry
from ..request import Bits, Resolved
from ..training.budget import Budget
from ..training.snapshot import Snapshots
from ..training.trainer import Trainer
from .tiny_vit import CLASSES, SIZE, TINY_ADAPTERS, tiny_vit


@dataclass
class NoiseBatch:
    """Pictures of noise, (batch, 3, 16, 16), and classes that mean nothing, int64 (batch,)."""

    inputs: Tensor
    targets: Tensor


class Noise:
    """Smooth random pictures, each a function of its index alone."""

    def __init__(self, size: int, first: int = 0) -> None:
        self.first = first
        self.ids: Sequence[str] = [f"noise-{index}" for index in range(first, first + size)]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[NoiseBatch]:
        """The pictures at ``indices``, ``size`` at a time."""
        for start in range(0, len(indices), size):
            chosen = indices[start:start + size]
            yield NoiseBatch(torch.stack([self._picture(index) for index in chosen]),
                             torch.tensor([(self.first + index) % CLASSES for index in chosen]))

    def _picture(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(1000 + self.first + index)
        coarse = torch.randn(1, 3, SIZE // 4, SIZE // 4, generator=generator)
        return torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")[0]


def divergence(reference: Tensor, outputs: Tensor) -> Tensor:
    """Mean ``KL(softmax(reference) || softmax(outputs))`` over the batch."""
    expected, given = (torch.log_softmax(logits.double(), dim=-1) for logits in (reference, outputs))
    return (expected.exp() * (expected - given)).sum(-1).mean()


class ToyScorer:
    """Top-1 accuracy in percent."""

    def __init__(self) -> None:
        self._right: list[float] = []

    def update(self, outputs: Tensor, batch: Batch) -> None:
        """Take the logits (batch, classes)."""
        self._right += (outputs.argmax(1) == batch.targets).float().tolist()

    def result(self) -> Scores:
        """``top1``."""
        return Scores({"top1": 100 * sum(self._right) / len(self._right)}, tuple(self._right))


class ToyTask(Task):
    """The tiny transformer on noise: classes without meaning, which it can only learn by heart."""

    def __init__(self, samples: int = 16, first: int = 0) -> None:
        super().__init__(Resolved("toy", "mini", "tiny_vit", "noise", "seed 0"))
        self._samples, self._first, self._model = samples, first, tiny_vit()

    def model(self) -> torch.nn.Module:
        """See :func:`harness.testing.tiny_vit.tiny_vit`; always the same object."""
        return self._model

    def pool(self) -> Samples:
        """Noise."""
        return Noise(self._samples, self._first)

    def evaluation(self) -> Samples:
        """Other noise."""
        return Noise(self._samples, first=self._first + self._samples)

    def scorer(self) -> Scorer:
        """Accuracy."""
        return ToyScorer()

    def objective(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        """Cross-entropy."""
        logits = model(batch.inputs)
        return torch.nn.functional.cross_entropy(logits, batch.targets), logits


def _silent(what: str, total: int) -> AbstractContextManager[Callable[..., None]]:
    return nullcontext(lambda text="": None)


def toy_context(bits: Bits, seed: int = 0, samples: int = 16, budget: str = "steps=2",
                method: Method[Any] | None = None, snapshots: Snapshots | None = None, device: str = "cpu",
                task: ToyTask | None = None) -> Context:
    """An instrumented tiny transformer with a calibration set and a trainer, ready for ``place`` and ``calibrate``.

    With a ``method`` the context also makes trials (see :meth:`harness.Context.trial`).
    """
    task = task or ToyTask(samples)
    calibration = Calibration(task.pool(), list(range(samples)), lambda model, inputs: model(inputs), batch_size=4,
                              device=device)

    def instrumented(_: str | None = None) -> InstrumentedModel:
        return instrument(copy.deepcopy(task.model()).to(device), TINY_ADAPTERS)

    trainer = Trainer(task, Budget.parse(budget), seed, _silent, torch.device(device), instrumented, snapshots)
    context = Context(instrumented(), calibration, bits, registry(), divergence,
                      torch.Generator().manual_seed(seed), _silent, trainer=trainer)
    if method is not None:
        context.make_trial = partial(make_trial, context, method, instrumented)
    return context
