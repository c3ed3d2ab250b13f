"""From a study to its runs: which are there already, which are missing, which are impossible and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import HarnessError, OptionError, UnknownNameError
from ..options import Choice, Options, merged, resolve
from ..registry import Registry
from ..request import Bits, Resolved, TaskRequest
from ..results.record import FULL_PRECISION, Asked, DamagedRecordError
from ..specs import MethodSpec
from ..training.budget import Budget
from .possible import catalogue_of, check_possible
from .study import Study

if TYPE_CHECKING:
    from ..results.storage.store import Store

State = Literal["missing", "recorded", "failed", "impossible"]


@dataclass(frozen=True)
class Run:
    """One cell of the matrix.

    ``options``: the method's, fully resolved, for the identity and the record; ``given``: those that were set by the
    user, by name of an ablation (``variant``) or one by one; ``chosen``: these and the method's own for this task. The
    method is built from ``chosen``, so that it can tell a component's option that somebody chose from a default,
    and decide the latter site by site. ``budget`` of its training; empty for a method that does not train.
    """

    task: Resolved
    method: str
    bits: Bits
    seed: int
    calibration: int
    limit: int | None
    options: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict, compare=False)
    chosen: dict[str, Any] = field(default_factory=dict, compare=False)
    budget: str = ""
    variant: str = field(default="", compare=False)

    @property
    def asked(self) -> Asked:
        """What the identity is made of: what was asked, never when or where it ran."""
        return Asked(task=self.task.task, scale=self.task.scale, model=self.task.model, method=self.method,
                     bits=str(self.bits), seed=self.seed, fingerprint=self.task.fingerprint,
                     weights_hash=self.task.weights_hash, calibration_size=self.calibration,
                     evaluation_limit=self.limit, configuration=self.options, budget=self.budget)

    @property
    def identity(self) -> str:
        """The hash of :attr:`asked`."""
        return self.asked.identity

    @property
    def reference(self) -> Run:
        """The full-precision run that this one is compared with (itself, for the reference)."""
        return Run(self.task, FULL_PRECISION, Bits(32, 32), 0, 0, self.limit)

    @property
    def label(self) -> str:
        """How messages call it."""
        budget = f", budget {self.budget}" if self.budget else ""
        variant = f":{self.variant}" if self.variant else ""
        return (f"{self.method}{variant} {self.bits} on {self.task.task} ({self.task.model}, {self.task.scale}), "
                f"seed {self.seed}{budget}")


@dataclass(frozen=True)
class Planned:
    """A run and what a plan knows of it; ``reason`` says why it failed before or is impossible."""

    run: Run
    state: State
    reason: str = ""


def make_plan(study: Study, registry: Registry, store: Store) -> list[Planned]:
    """Every run of the study, references first; task by task, model by model."""
    asked = [_variant(registry, name) for name in study.methods]
    _check_set(study, registry, {spec.name for spec, _ in asked})
    budgets = tuple(dict.fromkeys(str(Budget.parse(text)) for text in study.budget))
    planned: list[Planned] = []
    for task in registry.tasks_of(study.task):
        for model in study.model or (None,):
            resolved = resolve_task(registry, TaskRequest(task, study.scale, model, study.data, study.weights))
            calibration = study.calibration or registry.tasks[task].calibration_size
            runs = [run for spec, variant in asked if spec.name != FULL_PRECISION
                    for run in _runs(study, registry, spec, variant, resolved, budgets, calibration)]
            reference = Run(resolved, FULL_PRECISION, Bits(32, 32), 0, 0, study.limit)
            planned += [_planned(run, registry, store) for run in [reference, *runs]]
    return planned


def _runs(study: Study, registry: Registry, spec: MethodSpec, variant: str, task: Resolved, budgets: Sequence[str],
          calibration: int) -> list[Run]:
    """One method on one task and model: budgets x bits x seeds."""
    given = merged(spec.ablations.get(variant, {}), _given(study, spec))
    chosen = merged(spec.task_options.get(task.task, {}), given)
    options = method_options(registry, spec, chosen)
    each_budget = budgets if _trains(registry, spec, options) else ("",)
    return [Run(task, spec.name, bits, seed, calibration, study.limit, options, given, chosen, budget, variant)
            for budget in each_budget for bits in study.each_bits for seed in study.seeds]


def _variant(registry: Registry, name: str) -> tuple[MethodSpec, str]:
    """``"quantformer:hinge"``: the method, and the name of one of its ablations (empty for the method itself)."""
    method, _, variant = name.partition(":")
    spec = registry.methods[method]
    if variant and variant not in spec.ablations:
        raise UnknownNameError(f"ablation of {method}:", variant, spec.ablations)
    return spec, variant


def _check_set(study: Study, registry: Registry, methods: Collection[str]) -> None:
    for name in study.set:
        if name in methods:
            continue
        if name in registry.methods:
            raise OptionError(f"--set {name}.…: {name!r} is not among the methods of this study",
                              f"Methods: {', '.join(study.methods)}")
        raise UnknownNameError("method in --set", name, methods)


def _given(study: Study, spec: MethodSpec) -> dict[str, Any]:
    """What the user set of a method."""
    given = study.set.get(spec.name, {})
    if not isinstance(given, dict):
        raise OptionError(f"--set {spec.name}={given!r} gives a method a value", f"Use --set {spec.name}.OPTION=VALUE")
    return given


def _trains(registry: Registry, spec: MethodSpec, options: Mapping[str, Any]) -> bool:
    """Whether runs of the method have a budget: its own training, or that of a search that chooses its bits."""
    mixed = options.get("mixed")
    return spec.trains or (mixed is not None and registry.searches[mixed["name"]].trains)


def resolve_task(registry: Registry, request: TaskRequest) -> Resolved:
    """Ask the task's light code which data and weights it will use."""
    from ..registry import import_attribute

    spec = registry.tasks[request.task]
    module, _, attribute = spec.resolve.partition(":")
    resolve_request: Callable[[TaskRequest], Resolved] = import_attribute(module, attribute, spec.plugin)
    return resolve_request(request)


def method_options(registry: Registry, spec: MethodSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """A method's options, resolved, with those of every component that it chooses."""
    options = resolve(spec.options, given, f"method {spec.name}")
    return {name: _resolved(registry, name, getattr(options, name)) for name in options.asked()}


def _resolved(registry: Registry, field_name: str, value: Any) -> Any:
    """Plain data; the options of a chosen component are completed with its defaults."""
    if isinstance(value, Choice):
        options = registry.options(catalogue_of(registry, field_name, value.name), value)
        return {"name": value.name, "options": _resolved(registry, field_name, options)}
    if isinstance(value, Options):
        return value.model_dump(mode="json", include=set(value.asked()))
    if isinstance(value, tuple | list):
        return [_resolved(registry, field_name, item) for item in value]
    return value


def _planned(run: Run, registry: Registry, store: Store) -> Planned:
    try:
        check_possible(run, registry)
    except HarnessError as error:
        return Planned(run, "impossible", error.message)
    try:
        record = store.get(run.identity)
    except DamagedRecordError as error:  # kept beside as *.damaged when the run is recorded anew
        return Planned(run, "missing", error.message)
    if record is None:
        return Planned(run, "missing")
    if record.status == "failed":
        return Planned(run, "failed", record.failure.reason if record.failure else "")
    return Planned(run, "recorded")
