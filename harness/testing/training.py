"""What every method that trains promises, as tests; subclass :class:`TrainingConformance` in your package's tests."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..method import Context, Method
from ..model.instrument import InstrumentedModel
from ..options import resolve
from ..quantizers.base import Identity
from ..registry import registry
from ..training.fitting import Fitting
from ..training.snapshot import Snapshots
from .conformance import MethodConformance
from .toy import Noise, toy_context


class TrainingConformance(MethodConformance):
    """The promises of :class:`MethodConformance`, and those of training, on a tiny transformer in seconds.

    ``budget``: enough for every stage to take a few steps.
    """

    budget: ClassVar[str] = "steps=8"
    _trained: ClassVar[Context | None]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._trained = None

    def trained(self) -> Context:
        """The context after training; made once."""
        cls = type(self)
        if cls._trained is None:
            cls._trained = self.train()
        return cls._trained

    def train(self, folder: Path | None = None) -> Context:
        """A fresh context, placed, calibrated and trained; snapshots after every step in ``folder``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            spec = registry().methods[self.method]
            method: Method[Any] = registry().component(spec)(
                resolve(spec.options, self.options, f"method {self.method}"))
            snapshots = None if folder is None else Snapshots(folder, "conformance", seconds=0.0)
            context = toy_context(self.low, budget=self.budget, method=method, snapshots=snapshots)
            for act in (method.allocate, method.place, method.calibrate, method.train):
                act(context)
        context.model.eval()
        return context

    def test_training_changes_weights_and_quantizers(self) -> None:
        before, after = self.quantized(self.low).model, self.trained().model
        weights, quantizers = _changed(before, after)
        assert weights, "no weight of the model was trained"
        assert quantizers, "no parameter of a quantizer was trained"

    def test_training_is_noted(self) -> None:
        for stage in self.trained().notes["training"]:
            assert stage["steps"] >= 1
            assert all(math.isfinite(value) for value in stage["loss"])

    def test_training_keeps_the_bits_that_were_asked_for(self) -> None:
        """Learned bits may go anywhere between 2 and 8; nothing becomes full precision on the way."""
        model = self.trained().model
        for path, quantizer in self.quantized(self.low).model.quantizers.items():
            after = model.quantizer(path)
            assert isinstance(after, Identity) == isinstance(quantizer, Identity), path
            assert isinstance(quantizer, Identity) or after.mean_bits <= 8, path

    def test_training_leaves_a_model_that_evaluates_alike_when_baked(self) -> None:
        model = self.trained().model
        with model.baked():
            baked = _outputs(model)
        assert torch.allclose(baked, _outputs(model), atol=1e-5)

    def test_training_is_deterministic(self) -> None:
        _assert_same(self.train().model, self.trained().model)

    def test_training_that_was_killed_goes_on_where_it_was(self) -> None:
        """After half of all its steps, in whichever stage that is."""
        with tempfile.TemporaryDirectory() as folder:
            total = sum(stage["steps"] for stage in self.trained().notes["training"])
            with _killed_after(total // 2):
                try:
                    self.train(Path(folder))
                except _Killed:
                    pass
                else:
                    raise AssertionError("the training was not stopped")
            _assert_same(self.train(Path(folder)).model, self.trained().model)


class _Killed(BaseException):
    """Stands for a kill in the middle of a run."""


@contextmanager
def _killed_after(steps: int) -> Iterator[None]:
    whole, done = Fitting._snapshot, 0

    def killing(self: Fitting, finished: bool) -> None:
        nonlocal done
        whole(self, finished)
        done += 1
        if done == steps:
            raise _Killed

    Fitting._snapshot = killing  # type: ignore[method-assign]
    try:
        yield
    finally:
        Fitting._snapshot = whole  # type: ignore[method-assign]


@torch.no_grad()
def _outputs(model: InstrumentedModel) -> Tensor:
    return model(next(Noise(32, first=100).batches(range(32), 32)).inputs)


def _changed(before: InstrumentedModel, after: InstrumentedModel) -> tuple[bool, bool]:
    """Whether any parameter of the model, and of its quantizers, differs."""
    states = before.state_dict(), after.state_dict()
    differing = [name for name in states[0] if name in states[1] and states[0][name].shape == states[1][name].shape
                 and not torch.equal(states[0][name], states[1][name])]
    return (any("quantizers." not in name for name in differing), any("quantizers." in name for name in differing))


def _assert_same(first: InstrumentedModel, second: InstrumentedModel) -> None:
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    different = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    assert not different, f"differ: {different[:5]}"
