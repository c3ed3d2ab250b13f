"""What every loss promises; subclass :class:`LossConformance` in your package's tests."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import HarnessError
from ..method import Context, Method
from ..model.instrument import InstrumentedModel
from ..options import Choice
from ..registry import registry
from ..training.loss import Loss, Step
from ..training.options import LossOptions, TrainingOptions
from ..training.stage import Stage
from .hosts import stand_ins, users_of
from .law import BrokenLawError, law, require
from .left_behind import LeftBehindLaws
from .method_contract import PLACED, nearest_bits
from .method_run import MethodRun, run_method


class LossConformance(LeftBehindLaws):
    """Checks one loss in two steps of training of a tiny transformer.

    ``loss`` is its registered name, ``options`` what a method would give it. ``method``: the one whose quantizers and
    training it is tried with, by default one that uses it. Of a loss that is no :class:`harness.Loss` (its arguments
    are agreed with the methods that use it) only the options are looked at, and that it can be built and called.
    """

    kind = "loss"
    loss: ClassVar[str]
    method: ClassVar[str] = ""
    _probed: ClassVar[tuple[MethodRun, _Probe] | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._probed = None

    def build(self) -> Any:
        """A new loss."""
        return registry().create(registry().losses, Choice(name=self.name, options=self.tried))

    def runs(self) -> Iterator[MethodRun]:
        if isinstance(self.build(), Loss):
            yield self.probed()[0]

    def probed(self) -> tuple[MethodRun, _Probe]:
        """Two steps of training with the loss, and what was seen of it; made once."""
        cls = type(self)
        if cls._probed is None:
            cls._probed = self._train()
        return cls._probed

    def _train(self) -> tuple[MethodRun, _Probe]:
        refused, found = [], None
        hosts = [self.method] if self.method else users_of(self.spec) + [spec.name for spec in stand_ins()]
        for name in hosts:
            probe = _Probe(self.build())
            try:
                bits = nearest_bits(registry().methods[name], 4)
                found = run_method(name, {}, bits, (*PLACED, probe.fit)), probe
            except HarnessError as error:
                refused.append(f"in {name}: {error.message}")
            if found is not None and probe.reaches:  # else it may be made for the quantizers of another
                break
        if found is None:
            raise BrokenLawError("; ".join(refused) or "there is no method to try it in")
        return found

    @law("Return a scalar that depends on the model's outputs, on what it watches, or on its parameters")
    def test_it_is_a_finite_scalar_with_a_gradient(self) -> None:
        if not isinstance(loss := self.build(), Loss):
            require(callable(loss), f"it is no harness.Loss and cannot be called: {type(loss).__name__}")
            return
        for value in self.probed()[1].values:
            require(value.dim() == 0, f"it has the shape {tuple(value.shape)}")
            require(math.isfinite(float(value)), f"it is {float(value)}")
        require(self.probed()[1].reaches, "no parameter of the model gets a gradient from it")

    @law("Let nothing but the step decide; draw no random number, and count nothing in forward that changes the value")
    def test_it_is_deterministic(self) -> None:
        if isinstance(self.build(), Loss):
            probe = self.probed()[1]
            apart = max(abs(float(first - again)) for first, again in zip(probe.values, probe.again, strict=True))
            # Labels that it stores may come back in half precision.
            near = 1e-2 * (1 + abs(float(probe.values[0])))
            require(apart <= near, f"asked twice in a step, it differs by {apart:.3g}")

    @law("Take what you change as a copy: others see the same batch")
    def test_it_leaves_the_batch_alone(self) -> None:
        if isinstance(self.build(), Loss):
            require(not self.probed()[1].changed, "it changes the batch")

    @law("Return a number >= 0 from weight(progress), for progress from 0 to 1")
    def test_its_weight_is_a_number(self) -> None:
        if isinstance(loss := self.build(), Loss):
            for tenth in range(11):
                weight = float(loss.weight(tenth / 10))
                require(math.isfinite(weight) and weight >= 0, f"at {10 * tenth}% of the training it weighs {weight}")


class _Probe(Loss[LossOptions]):
    """Trains with a loss and writes down what it gives."""

    def __init__(self, loss: Loss[Any]) -> None:
        super().__init__(LossOptions())
        self.inner = loss
        self.values: list[Tensor] = []
        self.again: list[Tensor] = []
        self.reaches = self.changed = False

    def fit(self, method: Method[Any], context: Context) -> None:
        """Two steps with the method's training options."""
        training = getattr(method.options, "training", TrainingOptions())
        context.train(Stage("conformance", training, (self,)))

    def prepare(self, context: Context) -> None:
        self.inner.prepare(context)

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        return self.inner.watches(model)

    def forward(self, step: Step) -> Tensor:
        before = [tensor.clone() for tensor in (step.batch.inputs, step.batch.targets)]
        value: Tensor = self.inner(step)
        self.again.append(self.inner(step).detach())
        self.values.append(value.detach())
        now = (step.batch.inputs, step.batch.targets)
        self.changed |= not all(map(torch.equal, before, now))
        if value.requires_grad:
            parameters = [parameter for parameter in step.model.parameters() if parameter.requires_grad]
            gradients = torch.autograd.grad(value.sum(), parameters, retain_graph=True, allow_unused=True)
            self.reaches |= any(gradient is not None and bool(gradient.any()) for gradient in gradients)
        # A step needs a finite scalar with a graph, whatever the loss is.
        return step.task_loss + (value.sum() if bool(value.isfinite().all()) else 0)
