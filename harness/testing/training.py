"""What every method that trains promises, as tests; subclass :class:`TrainingConformance` in your package's tests."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import torch

from ..model.instrument import InstrumentedModel
from ..quantizers.base import Identity
from ..training.fitting import Fitting
from ..training.snapshot import Snapshots
from .conformance import MethodConformance
from .law import law, require
from .method_contract import PLACED
from .method_run import MethodRun, pictures, run_method


class TrainingConformance(MethodConformance):
    """The promises of :class:`MethodConformance`, and those of training, on a tiny transformer in seconds.

    ``budget``: enough for every stage to take a few steps.
    """

    budget: ClassVar[str] = "steps=8"
    _trained: ClassVar[MethodRun | None]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._trained = None

    def trained(self) -> MethodRun:
        """The run with training; made once."""
        cls = type(self)
        if cls._trained is None:
            cls._trained = self.train()
        return cls._trained

    def train(self, folder: Path | None = None) -> MethodRun:
        """A fresh run, placed, calibrated and trained; snapshots after every step in ``folder``."""
        snapshots = None if folder is None else Snapshots(folder, "conformance", seconds=0.0)
        return run_method(self.name, self.tried, self.few, (*PLACED, "train"), budget=self.budget,
                          snapshots=snapshots)

    def runs(self) -> Iterator[MethodRun]:
        yield from super().runs()
        yield self.trained()

    @law("Give the optimizer the weights and the quantizers' parameters: see harness.Stage and parameter_group")
    def test_training_changes_weights_and_quantizers(self) -> None:
        weights, quantizers = _changed(self.made(self.few).model, self.trained().model)
        require(weights, "no weight of the model was trained")
        require(quantizers, "no parameter of a quantizer was trained")

    @law("Train with context.train(stage), which notes what it does")
    def test_training_is_noted(self) -> None:
        stages = self.trained().context.notes.get("training", [])
        require(bool(stages), "no stage is noted")
        for stage in stages:
            require(stage["steps"] >= 1, f"stage {stage['stage']} took no step")
            require(all(map(math.isfinite, stage["loss"])), f"stage {stage['stage']} has NaN among its losses")

    @law("Keep the quantizers in place while training, and learned bits between 2 and 8")
    def test_training_keeps_the_bits_that_were_asked_for(self) -> None:
        """Learned bits may go anywhere between 2 and 8; nothing becomes full precision on the way."""
        model = self.trained().model
        for path, quantizer in self.made(self.few).model.quantizers.items():
            after = model.quantizer(path)
            require(isinstance(after, Identity) == isinstance(quantizer, Identity),
                    f"{path} is quantized before training or after it, not both")
            require(isinstance(quantizer, Identity) or after.mean_bits <= 8, f"{path} ends at {after.mean_bits} bits")

    @law("Let a weight's quantizer depend on the weight and its own parameters only, in evaluation mode")
    def test_training_leaves_a_model_that_evaluates_alike_when_baked(self) -> None:
        trained = self.trained()
        with trained.model.baked():
            baked = trained.outputs()
        require(torch.allclose(baked, trained.outputs(), atol=1e-5), "with baked weights the model answers otherwise")

    @law("Draw every random number from context.generator, or from torch's generator, which the run seeds")
    def test_training_is_deterministic(self) -> None:
        _require_same(self.train().model, self.trained().model)

    @law("Keep what changes in training in parameters and buffers (of losses and monitors, too): snapshots hold these")
    def test_training_that_was_killed_goes_on_where_it_was(self) -> None:
        """After half of all its steps, in whichever stage that is."""
        with tempfile.TemporaryDirectory() as folder:
            total = sum(stage["steps"] for stage in self.trained().context.notes["training"])
            with _killed_after(total // 2):
                try:
                    self.train(Path(folder))
                except _Killed:
                    pass
                else:
                    require(False, "the training was not stopped")
            _require_same(self.train(Path(folder)).model, self.trained().model)

    @law("Compute in the type of the tensor at hand: products of autocast are in bfloat16")
    def test_it_trains_in_bfloat16(self) -> None:
        """One forward and backward as with training.precision=bf16."""
        run = self.run(self.few)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = run.model(pictures())
        require(bool(outputs.isfinite().all()), "under autocast the outputs have NaN or infinity")
        outputs.float().square().mean().backward()
        broken = [name for name, parameter in run.model.named_parameters()
                  if parameter.grad is not None and not parameter.grad.isfinite().all()]
        require(not broken, f"under autocast the gradient of {broken[:1]} has NaN or infinity")


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


def _changed(before: InstrumentedModel, after: InstrumentedModel) -> tuple[bool, bool]:
    """Whether any parameter of the model, and of its quantizers, differs."""
    states = before.state_dict(), after.state_dict()
    differing = [name for name in states[0] if name in states[1] and states[0][name].shape == states[1][name].shape
                 and not torch.equal(states[0][name], states[1][name])]
    return (any("quantizers." not in name for name in differing), any("quantizers." in name for name in differing))


def _require_same(first: InstrumentedModel, second: InstrumentedModel) -> None:
    states = first.state_dict(), second.state_dict()
    require(states[0].keys() == states[1].keys(), "one has parameters that the other has not")
    different = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    require(not different, f"two trainings differ in {', '.join(different[:5])}")
