"""Trials: a run's method at other bit-widths, on a fresh copy of the model, for searches of mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..method import Context, Method
from ..model.instrument import InstrumentedModel
from .reach import drop_unreached


def make_trial(context: Context, method: Method[Any], instrumented: Callable[[], InstrumentedModel],
               allocation: dict[str, int]) -> Context:
    """See :meth:`harness.Context.trial`. Its training leaves no snapshots, its notes enter no record."""
    trainer = context.trainer.without_snapshots() if context.trainer else None
    trial = Context(instrumented(), context.calibration, context.bits, context.registry, context.divergence,
                    torch.Generator().manual_seed(context.generator.initial_seed()), context.progress,
                    kind=context.kind, trainer=trainer, allocation=allocation)
    method.place(trial)
    drop_unreached(trial.model, trial.calibration)
    method.calibrate(trial)
    return trial
