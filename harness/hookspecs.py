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
    """Named recipes of papers. Called once, when the plugins are loaded."""


@hookspec
def harness_quantizers() -> Iterable[QuantizerSpec]:  # type: ignore[empty-body]
    """Modules that map a tensor to its quantized self. Called once, at loading."""


@hookspec
def harness_searches() -> Iterable[SearchSpec]:  # type: ignore[empty-body]
    """Components that choose parameters, bit-widths or groups. Called once, at loading."""


@hookspec
def harness_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Training and calibration objectives. Called once, at loading."""


@hookspec
def harness_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Model families with data and metric. Called once, at loading."""


@hookspec
def harness_suites() -> Iterable[SuiteSpec]:  # type: ignore[empty-body]
    """Several tasks under one name, with averages. Called once, at loading."""


@hookspec
def harness_adapters() -> Iterable[AdapterSpec]:  # type: ignore[empty-body]
    """Quantizable twins of attention classes. Called once, at loading."""


@hookspec
def harness_costs() -> Iterable[CostSpec]:  # type: ignore[empty-body]
    """Conventions for counting bit-operations. Called once, at loading."""


@hookspec
def harness_run_started(run: Run) -> None:
    """A run is about to build its task."""


@hookspec
def harness_run_phase(run: Run, phase: str) -> None:
    """A run enters ``phase`` (``build``, ``reference``, ``calibrate``, ``evaluate``, ...)."""


@hookspec
def harness_run_finished(run: Run, record: Record) -> None:
    """A run was measured and its record is stored."""


@hookspec
def harness_run_failed(run: Run, record: Record) -> None:
    """A run failed; the record of the failure is stored."""
