"""One stage being trained: the loop, its snapshots, and what it reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..quantizers.base import Identity
from .loader import Loader
from .loss import Loss, Monitor, Step
from .optimizer import make_optimizer, set_learning_rates
from .snapshot import restore_random
from .stage import Stage
from .views import View
from .watch import DivergenceWatch, Interruption, watching

if TYPE_CHECKING:
    from ..method import Context
    from ..model.instrument import InstrumentedModel
    from .trainer import Trainer

_CURVE_POINTS = 100
_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Fitting:
    """The state of one stage: optimizer, losses, monitors, curve; everything that a snapshot must hold."""

    def __init__(self, trainer: Trainer, context: Context, stage: Stage, losses: list[Loss[Any]], key: str) -> None:
        self.trainer, self.context, self.stage, self.losses, self.key = trainer, context, stage, losses, key
        self.model = context.model
        self.stream, self.steps = trainer.stream(stage), trainer.steps(stage)
        self.optimizer = make_optimizer(self.model, stage)
        self.parts = nn.ModuleList([*losses, *stage.monitors]).to(trainer.device)
        self.dtype = _DTYPES[stage.training.precision]
        self.scaler = torch.amp.GradScaler(trainer.device.type, enabled=self.dtype == torch.float16)
        self.watch, self.curve = DivergenceWatch(), [0.0] * min(_CURVE_POINTS, self.steps)
        self.step = 0

    def run(self) -> dict[str, Any]:
        """Train to the end; returns plain data for the record."""
        parts: list[Loss[Any] | Monitor] = [*self.losses, *self.stage.monitors]
        for part in parts:
            part.prepare(self.context)
        self._resume()
        self.model.train(self.stage.training.mode == "train")
        watched = sorted({path for loss in self.losses for path in loss.watches(self.model)})
        loader, saved = Loader(self.trainer.load, self._share, self.steps), time.monotonic()
        try:
            with Interruption() as interruption, watching(self.model, watched) as sites, \
                    self.trainer.progress(self.stage.name, self.steps) as advance:
                for _ in range(self.step):
                    advance()
                while self.step < self.steps:
                    loss = self._one_step(loader, sites)
                    advance(f"loss {loss:.4g} · {self._bits()} bits")
                    finished = self.step == self.steps
                    stop = self.trainer.processes.told(interruption.asked)
                    if finished or stop or time.monotonic() - saved > self._seconds_between():
                        self._snapshot(finished)
                        saved = time.monotonic()
                    if stop:
                        raise KeyboardInterrupt
        finally:
            loader.close()
        self.model.eval()
        return self._notes()

    def _one_step(self, loader: Loader, sites: dict[str, Tensor]) -> float:
        set_learning_rates(self.optimizer, self.stage.training, self.step, self.steps)
        views, batch = loader.batch(self.step)
        progress, task = self.step / self.steps, self.trainer.task
        with torch.autocast(self.trainer.device.type, self.dtype, enabled=self.dtype is not None):
            task_loss, response = task.objective(self.model, batch)
            watched = list(sites)
            seen = Step(self.model, batch, views, response, task_loss, dict(sites), self.step, progress,
                        lambda given: self.trainer.run_teacher(self._teacher(), watched, given))
            total = sum((loss.weight(progress) * loss(seen) for loss in self.losses if loss.weight(progress)),
                        start=task_loss.new_zeros(()))
            sites.clear()  # also of what a response that was computed for a loss has passed
        value = self.trainer.processes.mean(float(total.detach()))
        self.watch.update(value, f"step {self.step + 1} of {self.steps} ({self.stage.name})")
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.trainer.processes.average(trained)
        if self.stage.training.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(trained, self.stage.training.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._record(value)
        with torch.no_grad():
            for monitor in self.stage.monitors:
                monitor(seen)
        self.step += 1
        return value

    def _teacher(self) -> InstrumentedModel:
        return self.stage.teacher or self.trainer.teacher(self.stage.training.teacher)

    def _share(self, step: int) -> Sequence[View]:
        """This process's views of a step."""
        return self.trainer.processes.share(self.stream.views(step))

    def _record(self, value: float) -> None:
        """Every point of the curve is the mean loss of its stretch of steps."""
        points = len(self.curve)
        point = self.step * points // self.steps
        first = -(-point * self.steps // points)
        self.curve[point] += (value - self.curve[point]) / (self.step - first + 1)

    def _bits(self) -> str:
        placed = [quantizer.mean_bits for quantizer in self.model.quantizers.values()
                  if not isinstance(quantizer, Identity)]
        return f"{sum(placed) / len(placed):.2f}" if placed else "32"

    def _notes(self) -> dict[str, Any]:
        notes: dict[str, Any] = {
            "stage": self.stage.name, "steps": self.steps, "batch_size": self.stream.batch_size,
            "epochs": round(self.steps / self.stream.steps_per_epoch, 4), "samples": len(self.trainer.samples.ids),
            "loss": [float(f"{value:.5g}") for value in self.curve]}
        for monitor in self.stage.monitors:
            notes |= monitor.notes()
        return notes

    def _seconds_between(self) -> float:
        return self.trainer.snapshots.seconds if self.trainer.snapshots else float("inf")

    def _snapshot(self, finished: bool) -> None:
        if self.trainer.snapshots is None or not self.trainer.processes.speaks:
            return
        self.trainer.snapshots.write(self.key, {
            "step": self.step, "steps": self.steps, "model": self.model.state_dict(),
            "optimizer": {} if finished else self.optimizer.state_dict(), "parts": self.parts.state_dict(),
            "scaler": self.scaler.state_dict(), "watch": self.watch.state(), "curve": self.curve,
            "generator": self.context.generator.get_state()})

    def _resume(self) -> None:
        content = self.trainer.snapshots.read(self.key) if self.trainer.snapshots else None
        if content is None:
            return
        self.step, self.curve = content["step"], content["curve"]
        self.model.load_state_dict(content["model"])
        self.parts.load_state_dict(content["parts"])
        self.watch.restore(content["watch"])
        if self.step < self.steps:
            self.optimizer.load_state_dict(content["optimizer"])
            self.scaler.load_state_dict(content["scaler"])
        self.context.generator.set_state(content["generator"])
        restore_random(content)
