"""What a training step of whole methods costs, against the full-precision step of the same model.

    python benchmarks/qat_methods.py --methods variation,qvit,quantformer --batch 16 --threads 1

Every method is placed, calibrated and trained as in a run, with its own losses, schedules and monitors, at W4A4; what
is timed are the steps of its last stage (for Quantformer: after the search of the groups). Distillation from stored
labels is timed in a second training that finds all of them. Each training stands beside a full-precision one made
just before; the ratio is that of their median steps. ``--cpu-time`` counts the time of the training thread (with
--threads 1, on a busy machine). Weights and pictures are random: time does not depend on them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from harness import (
    Bits,
    Calibration,
    Context,
    InstrumentedModel,
    Monitor,
    Resolved,
    Stage,
    Step,
    Task,
    Trainer,
    TrainingOptions,
    ensure_torchvision,
    instrument,
)
from harness.engine.allocator import keep_freed_memory
from harness.engine.plan import method_options
from harness.engine.workspace import adapters
from harness.method import Scorer
from harness.registry import registry
from harness.training.budget import Budget


@dataclass
class _Batch:
    inputs: Tensor
    targets: Tensor


class _Pictures:
    """Random pictures, (3, 224, 224), one for each index."""

    def __init__(self, count: int) -> None:
        self.ids: Sequence[str] = [str(index) for index in range(count)]
        self._pictures = torch.randn(count, 3, 224, 224)

    def batches(self, indices: Sequence[int], size: int) -> Iterator[_Batch]:
        for start in range(0, len(indices), size):
            chosen = list(indices[start:start + size])
            yield _Batch(self._pictures[chosen], torch.tensor(chosen) % 1000)


class _RandomTask(Task):
    """A timm model with random weights on random pictures."""

    def __init__(self, model: str, count: int) -> None:
        super().__init__(Resolved("imagenet", "full", model, "random", "random"))
        self._pictures = _Pictures(count)

    def model(self) -> nn.Module:
        import timm

        return timm.create_model(self.resolved.model)

    def pool(self) -> _Pictures:
        return self._pictures

    def evaluation(self) -> _Pictures:
        return self._pictures

    def scorer(self) -> Scorer:
        raise NotImplementedError("nothing is scored here")

    def objective(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        logits = model(batch.inputs)
        return nn.functional.cross_entropy(logits, batch.targets), logits


class _Clock(Monitor):
    """Remembers when every step ended."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.ends = clock, [clock()]

    def forward(self, step: Step) -> None:
        if step.batch.inputs.is_cuda:
            torch.cuda.synchronize()
        self.ends.append(self.clock())

    @property
    def seconds(self) -> float:
        """The median step; the first one warms caches."""
        steps = [end - start for start, end in zip(self.ends, self.ends[1:], strict=False)]
        return statistics.median(steps[1:] or steps)


def _silent(what: str, total: int) -> AbstractContextManager[Callable[..., None]]:
    return nullcontext(lambda text="": None)


class _Timed(Context):
    """A context whose trainings are timed: ``clocks``, one a stage."""

    clock: Callable[[], float]
    clocks: list[_Clock]

    def train(self, stage: Stage) -> None:
        self.clocks.append(_Clock(self.clock))
        super().train(replace(stage, monitors=(*stage.monitors, self.clocks[-1])))


def _context(task: _RandomTask, given: argparse.Namespace, model: InstrumentedModel) -> _Timed:
    device = torch.device(given.device)
    calibration = Calibration(task.pool(), list(range(8)), task.forward, 8, device)

    def instrumented(_: str | None = None) -> InstrumentedModel:
        return instrument(task.model().to(device), adapters(registry()))

    trainer = Trainer(task, Budget.parse(f"steps={given.steps}"), 0, _silent, device, instrumented)
    context = _Timed(model.to(device), calibration, Bits(4, 4), registry(), task.divergence,
                     torch.Generator().manual_seed(0), _silent, trainer=trainer)
    context.clock, context.clocks = time.thread_time if given.cpu_time else time.perf_counter, []
    return context


def plain_seconds(task: _RandomTask, given: argparse.Namespace) -> float:
    """A full-precision step of the model as timm has it."""
    context = _context(task, given, InstrumentedModel(task.model(), {}))
    context.train(Stage("plain", TrainingOptions(batch_size=given.batch), [_task_loss()], share=0.25))
    return context.clocks[-1].seconds


def _task_loss() -> Any:
    known = registry()
    return known.component(known.losses["task"])(known.losses["task"].options())


def method_seconds(name: str, task: _RandomTask, given: argparse.Namespace) -> float:
    """A step of the method's last stage."""
    known = registry()
    spec = known.methods[name]
    sizes = {key: {"batch_size": given.batch} for key in ("training", "searching", "finetuning")
             if key in spec.options.model_fields}
    options = method_options(known, spec, {**sizes, **({"sard_images": 0} if name == "quantformer" else {})})
    method = known.component(spec)(spec.options(**options))
    context = _context(task, given, instrument(task.model(), adapters(known)))
    method.place(context)
    method.calibrate(context)
    method.train(context)
    return context.clocks[-1].seconds


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="lsq,variation,qvit,quantformer")
    parser.add_argument("--model", default="deit_tiny_patch16_224")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=24, help="of each training, shared by its stages")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-time", action="store_true")
    given = parser.parse_args()
    ensure_torchvision()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    task = _RandomTask(given.model, 2 * given.batch)
    print(f"{given.model} batch {given.batch} {given.device} threads {given.threads}: a training step")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # the stored labels of this benchmark only
        for name in given.methods.split(","):
            if name == "variation":
                method_seconds(name, task, given)
            plain, own = plain_seconds(task, given), method_seconds(name, task, given)
            print(f"  {name:12} {own * 1e3:8.1f} ms, plain {plain * 1e3:8.1f} ms: {own / plain:.3f} x")


if __name__ == "__main__":
    main()
