"""Every hook of the harness, in one file.

A plugin is a module with functions of these names, marked with :data:`harness.hookimpl`, and an
entry point in the group ``harness``::

    [project.entry-points.harness]
    mymethod = "harness_mymethod"

Hooks that contribute return small frozen descriptions (see :mod:`harness.specs`); an
implementation may take fewer arguments than a hook offers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .engine.plan import Run
    from .results.record import Record
    from .specs import AdapterSpec, CostSpec, LossSpec, MethodSpec, QuantizerSpec, SearchSpec, SuiteSpec, TaskSpec

GROUP = "harness"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def harness_methods() -> Iterable[MethodSpec]:  # type: ignore[empty-body]
    """Return or yield ``MethodSpec`` objects: recipes that ``--methods`` can name."""


@hookspec
def harness_quantizers() -> Iterable[QuantizerSpec]:  # type: ignore[empty-body]
    """Return or yield ``QuantizerSpec`` objects.

    Any method can be given one: ``--set METHOD.weights=NAME``.
    """


@hookspec
def harness_searches() -> Iterable[SearchSpec]:  # type: ignore[empty-body]
    """Return or yield ``SearchSpec`` objects.

    Any method with a ``search`` option can be given one: ``--set METHOD.search=NAME``.
    """


@hookspec
def harness_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Return or yield ``LossSpec`` objects: objectives that methods name in their options."""


@hookspec
def harness_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Return or yield ``TaskSpec`` objects: what ``--task`` can name."""


@hookspec
def harness_suites() -> Iterable[SuiteSpec]:  # type: ignore[empty-body]
    """Return or yield ``SuiteSpec`` objects: several tasks under one name, with a table of averages."""


@hookspec
def harness_adapters() -> Iterable[AdapterSpec]:  # type: ignore[empty-body]
    """Return or yield ``AdapterSpec`` objects.

    A model with an attention class that has no adapter is refused, never quantized in part; ``attention`` is
    the full name of the class as Python knows it.
    """


@hookspec
def harness_costs() -> Iterable[CostSpec]:  # type: ignore[empty-body]
    """Return or yield ``CostSpec`` objects: conventions that stand side by side in every record."""


@hookspec
def harness_run_started(run: Run) -> None:
    """A run is about to build its task.

    What the four ``harness_run_`` hooks raise becomes a warning; the run goes on.
    """


@hookspec
def harness_run_phase(run: Run, phase: str) -> None:
    """A run enters ``phase`` (``build``, ``place``, ``calibrate``, ``evaluate``, ``cost``)."""


@hookspec
def harness_run_finished(run: Run, record: Record) -> None:
    """A run was measured and its record is stored."""


@hookspec
def harness_run_failed(run: Run, record: Record) -> None:
    """A run failed, and the record of the failure (with phase and reason) is stored."""
