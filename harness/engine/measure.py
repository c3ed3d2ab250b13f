"""One run, from the model to its measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..cost.summary import summarize
from ..errors import PluginError
from ..method import Context, Method, Progress, Scores
from ..options import resolve
from ..registry import Registry
from ..results.record import FULL_PRECISION, CalibrationSet
from ..specs import MethodSpec
from ..training.budget import Budget
from ..training.snapshot import Snapshots
from .calibration import Calibration
from .determinism import fingerprint, seed_everything
from .finite import refuse_nan
from .intact import Hooks
from .phases import Phases
from .plan import Run
from .reach import drop_unreached
from .trial import make_trial
from .workspace import Workspace


@dataclass(frozen=True)
class Measurement:
    """What one run measured, as plain data."""

    scores: Scores
    costs: dict[str, Any]
    coverage: dict[str, Any]
    calibration: CalibrationSet
    notes: dict[str, Any] = field(default_factory=dict)


def measure(run: Run, workspace: Workspace, registry: Registry, phases: Phases, progress: Progress,
            snapshots: Snapshots | None = None) -> Measurement:
    """Place, calibrate, train, evaluate and cost ``run``; raises whatever goes wrong on the way.

    ``snapshots``: where unfinished training is kept, and found.
    """
    generator = seed_everything(run.seed)
    with phases("place"):
        model, source = workspace.instrumented(), _source(run, registry)
        hooks = Hooks(model)
        calibration = workspace.calibration(run.calibration, run.seed)
        method = build_method(registry.methods[run.method], run, registry)
        trainer = workspace.trainer(Budget.parse(run.budget), run.seed, progress, snapshots) if run.budget else None
        context = Context(model, calibration, run.bits, registry, workspace.task.divergence, generator, progress,
                          kind=registry.tasks[run.task.task].kind, trainer=trainer)
        context.make_trial = partial(make_trial, context, method, workspace.instrumented)
        method.allocate(context)
        method.place(context)
        if unreached := drop_unreached(model, calibration):
            context.notes["not_reached_by_calibration"] = unreached
    with phases("calibrate"):
        method.calibrate(context)
    if run.budget:
        with phases("train"):
            method.train(context)
    if left := hooks.left():
        raise PluginError(f"a hook was left on {left[0]} by {source}",
                          "Take it off: handle.remove() in a finally block")
    with phases("evaluate"), model.baked():
        # The reference is evaluated as users run it; every other model through its quantizers.
        subject = workspace.model if run.method == FULL_PRECISION else model
        refuse_nan(model.eval(), workspace.one_forward(), source)
        scores = workspace.evaluate(subject, run.limit, progress, source)
    with phases("cost"):
        summary = summarize(model, workspace.one_forward(), registry)
    coverage = summary.pop("coverage")
    return Measurement(scores, summary, coverage, _drawn(calibration, run), context.notes)


def build_method(spec: MethodSpec, run: Run, registry: Registry) -> Method[Any]:
    """The run's method with what was chosen of its options."""
    return registry.component(spec)(resolve(spec.options, run.chosen, f"method {spec.name}"))


def _source(run: Run, registry: Registry) -> str:
    """The plugin that answers for a run's numbers: the method's, or the task's for the model as it is."""
    spec = registry.tasks[run.task.task] if run.method == FULL_PRECISION else registry.methods[run.method]
    return spec.plugin


def _drawn(calibration: Calibration, run: Run) -> CalibrationSet:
    return CalibrationSet(ids=tuple(calibration.ids), sha256=fingerprint(calibration.ids), size=len(calibration),
                          seed=run.seed, split="train")
