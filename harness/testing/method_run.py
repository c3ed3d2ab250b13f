"""One run of a method on the tiny transformer, and what it left behind."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.intact import Hooks, Kept
from ..engine.writes import confined
from ..method import Context, Method
from ..model.instrument import InstrumentedModel
from ..model.operations import QuantizableParametric
from ..options import resolve
from ..quantizers.base import Identity
from ..registry import registry
from ..request import Bits
from ..specs import MethodSpec
from ..training.snapshot import Snapshots
from .surroundings import Surroundings
from .tiny_vit import SIZE
from .toy import Noise, ToyTask, toy_context

Step = str | Callable[[Method[Any], Context], None]


@dataclass
class MethodRun:
    """A context after a method's steps.

    ``changed``: what is different in the process (:class:`Surroundings`). ``written``: files that were left in the
    working folder. ``left``: what was left on the model. ``harmed``: what was changed of the full-precision model
    and the teachers. ``seconds``: processor time that it took.
    """

    context: Context
    changed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    harmed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def model(self) -> InstrumentedModel:
        """The quantized model."""
        return self.context.model

    def outputs(self, batch: int = 32, side: int = SIZE) -> Tensor:
        """Its answers to noise that it was not calibrated on, (batch, classes), on the CPU."""
        return answers(self.model, pictures(batch, side))


@torch.no_grad()
def answers(model: nn.Module, inputs: Tensor) -> Tensor:
    """What a model answers, on the CPU."""
    return model(inputs.to(next(model.parameters()).device)).cpu()


def pictures(batch: int = 32, side: int = SIZE) -> Tensor:
    """Noise, (batch, 3, side, side)."""
    return next(Noise(batch, first=100).batches(range(batch), batch)).inputs[..., :side, :side]


def seen_by_quantizers(run: MethodRun) -> dict[str, Tensor]:
    """The tensor that reached each quantized site in one forward; the last one, where there were several."""
    seen: dict[str, Tensor] = {}

    def keep(path: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[path] = inputs[0].detach().clone()

    with ExitStack() as stack:
        for path, quantizer in run.model.quantizers.items():
            if not isinstance(quantizer, Identity):
                stack.callback(quantizer.register_forward_pre_hook(partial(keep, path)).remove)
        run.outputs()
    return seen


def run_method(name: str, options: Mapping[str, Any], bits: Bits, steps: Sequence[Step], *, seed: int = 0,
               first_sample: int = 0, budget: str = "steps=2", device: str = "cpu",
               snapshots: Snapshots | None = None) -> MethodRun:
    """Let a method take its ``steps`` on the tiny transformer: names, or functions of both."""
    known = registry()
    spec = known.methods[name]
    factory = known.component(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method: Method[Any] = factory(resolve(spec.options, options, f"method {name}"))
        task = ToyTask(first=first_sample)
        context = toy_context(bits, seed, budget=budget, method=method, snapshots=snapshots, device=device, task=task)
        context.kind = tried_kind(spec)
        run, hooks = MethodRun(context), Hooks(context.model)
        kept = [Kept("the full-precision model", task.model())]
        _keep_teachers(context, kept)
        modes = {module for module in context.model.modules() if not module.training}
        with in_an_empty_folder(run.written), _observed(run.changed), confined(known):
            start = time.process_time()
            for step in steps:
                if callable(step):
                    step(method, context)
                else:
                    getattr(method, step)(context)
            run.seconds = time.process_time() - start
    run.left = [*(f"a hook on {path}" for path in hooks.left()), *_left(context.model, modes)]
    run.harmed = [change for each in kept if (change := each.change())]
    context.model.eval()
    return run


def tried_kind(spec: MethodSpec) -> str:
    """The kind of task that the tiny transformer stands for: classification, or the method's own."""
    return "classification" if not spec.kinds or "classification" in spec.kinds else spec.kinds[0]


def _keep_teachers(context: Context, kept: list[Kept]) -> None:
    """Remember every teacher that the trainer makes."""
    assert context.trainer is not None
    make: Callable[[str | None], InstrumentedModel] = context.trainer._instrumented

    def remembered(name: str | None = None) -> InstrumentedModel:
        teacher = make(name).eval()
        kept.append(Kept("the teacher", teacher))
        return teacher

    context.trainer._instrumented = remembered


def _left(model: InstrumentedModel, evaluating: set[nn.Module]) -> Iterator[str]:
    for path, quantizer in model.quantizers.items():
        if not quantizer.enabled:
            yield f"the quantizer of {path} switched off"
    for path, operation in model.operations.items():
        if isinstance(operation, QuantizableParametric) and operation._baked is not None:
            yield f"the weight of {path} baked"
    if training := [path for path, module in model.named_modules() if module.training and module in evaluating]:
        yield f"{training[0]} in training mode"


@contextmanager
def _observed(changed: list[str]) -> Iterator[None]:
    """What the block changes in the process is added to ``changed``, and undone."""
    before = Surroundings()
    try:
        yield
    finally:
        changed += before.changes()
        before.restore()


@contextmanager
def in_an_empty_folder(left: list[str]) -> Iterator[None]:
    """Work in a folder of its own; what lies there in the end is added to ``left``."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            left += sorted(os.listdir(folder))
            os.chdir(before)
