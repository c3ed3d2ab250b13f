"""Running a plan: one run after the other, each recorded as soon as it ends, however it ends."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from ..errors import HarnessError, PluginError
from ..method import Progress, Scores
from ..registry import Registry
from ..request import Resolved
from ..results.record import FULL_PRECISION, Costs, DamagedRecordError, Environment, Failure, Record
from ..results.samples import PerSample
from ..results.statistics.resampling import estimate
from ..results.storage.store import Store
from ..results.tables.ranking import scales_of
from ..training.processes import Processes
from ..training.snapshot import Snapshots
from .blame import Owners
from .environment import environment, peak_memory
from .measure import Measurement, measure
from .phases import Phases
from .plan import Planned, Run
from .reference import compared
from .time_limit import time_limit
from .workspace import Workspace
from .writes import confined, free

Outcome = Literal["done", "recorded", "failed", "impossible", "elsewhere"]


@dataclass(frozen=True)
class Finished:
    """How a planned run ended. ``elsewhere``: another process is at it now."""

    run: Run
    outcome: Outcome
    record: Record | None = None
    reason: str = ""


@dataclass
class Runner:
    """Executes planned runs. ``announce(run, phase)`` is told of every phase.

    ``unfinished``: folder of the snapshots of training, by default beside the records. ``processes``: those that
    train together; all but the first have a store of their own that nobody keeps. ``timeout``: seconds after which a
    run is given up (see :func:`time_limit`).
    """

    registry: Registry
    store: Store
    progress: Progress
    announce: Callable[[Run, str], None]
    force: bool = False
    device: str = "cpu"
    batch_size: int = 32
    snapshot_seconds: float = 60.0
    processes: Processes = field(default_factory=Processes)
    unfinished: Path | None = None
    timeout: float | None = None

    def execute(self, planned: Iterable[Planned]) -> Iterator[Finished]:
        """Run what is missing (failed runs are tried again), yielding each as it ends.

        A run that fails is recorded with its phase and reason and the others go on.
        """
        for resolved, group in groupby(planned, key=lambda item: item.run.task):
            yield from self._on_one_task(resolved, list(group))

    def _on_one_task(self, resolved: Resolved, planned: list[Planned]) -> Iterator[Finished]:
        workspace: Workspace | None = None
        for item in planned:
            if item.state == "impossible":
                yield Finished(item.run, "impossible", reason=item.reason)
                continue
            if item.state == "recorded" and not self.force:
                yield Finished(item.run, "recorded", self.store.get(item.run.identity))
                continue
            with self.store.lease(item.run.identity) as mine:
                mine = self.processes.told(mine)
                if not mine:
                    yield Finished(item.run, "elsewhere")
                    continue
                known = None if self.force else self._finished_meanwhile(item)
                if self.processes.told(known is not None):
                    yield Finished(item.run, "recorded", known)
                    continue
                unfinished = self.unfinished or self.store.unfinished_folder
                snapshots = Snapshots(unfinished / item.run.identity, item.run.identity, self.snapshot_seconds)
                phases = Phases(lambda phase, run=item.run: self._enter(run, phase))  # type: ignore[misc]
                self._tell("harness_run_started", run=item.run)
                source = self.registry.methods[item.run.method].plugin
                try:
                    with time_limit(self.timeout, source):
                        if workspace is None:
                            with phases("build"):
                                workspace = Workspace(resolved, self.registry, self.device, self.batch_size,
                                                      self.processes)
                        with confined(self.registry, (self.store.folder, unfinished)):
                            measurement = measure(item.run, workspace, self.registry, phases, self.progress, snapshots)
                    record = self._record(item.run, measurement, phases)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a run does, it is recorded and the others go on
                    record = self._failed(item.run, error, phases)
                if workspace is not None and (change := workspace.change()):
                    workspace = None  # the next run has models of its own
                    if record.status == "ok":
                        record = self._failed(item.run, _changed(change, source), phases)
                # A forced run that fails does not take the place of a good record.
                if record.status == "ok" or item.state != "recorded":
                    self.store.put(record, force=self.force)
                if record.status == "ok" and self.processes.speaks:
                    snapshots.clear()
            self._tell("harness_run_finished" if record.status == "ok" else "harness_run_failed",
                       run=item.run, record=record)
            reason = record.failure.reason if record.failure else ""
            yield Finished(item.run, "done" if record.status == "ok" else "failed", record, reason)

    def _finished_meanwhile(self, item: Planned) -> Record | None:
        """The record of a run that another process finished since the plan was made."""
        with suppress(DamagedRecordError):
            record = self.store.get(item.run.identity)
            return record if record is not None and record.status == "ok" else None
        return None

    def _enter(self, run: Run, phase: str) -> None:
        self._tell("harness_run_phase", run=run, phase=phase)
        self.announce(run, phase)

    def _tell(self, hook: str, **arguments: Any) -> None:
        """Call a life-cycle hook; a plugin that raises in it is warned of, and the run goes on."""
        try:
            with free():
                getattr(self.registry.manager.hook, hook)(**arguments)
        except Exception as error:  # noqa: BLE001 - an onlooker must not take the run down
            warnings.warn(f"a plugin failed in {hook}: {error}", RuntimeWarning, stacklevel=2)

    def _record(self, run: Run, measured: Measurement, phases: Phases) -> Record:
        main_metric = next(iter(measured.scores.metrics))
        record = Record(
            asked=run.asked, options=run.given, status="ok", notice=run.task.notice,
            metrics=dict(measured.scores.metrics), main_metric=main_metric, metrics_beside=measured.scores.beside,
            per_sample=kept_samples(measured.scores), costs=Costs(**measured.costs),
            coverage=measured.coverage, calibration=measured.calibration, notes=measured.notes,
            timings=phases.seconds, peak_memory=peak_memory(), environment=self._environment(), created=_now())
        reference = record if run.method == FULL_PRECISION else self.store.get(run.reference.identity)
        if reference is None or reference.status != "ok":
            return record
        return record.model_copy(update={"reference": compared(run, reference)})

    def _failed(self, run: Run, error: Exception | SystemExit, phases: Phases) -> Record:
        if isinstance(error, HarnessError):
            reason, remedy, trace = error.message, error.remedy, ""
        else:
            reason, remedy = str(error) or type(error).__name__, self._raised_in(run, error)
            trace = "".join(traceback.format_exception(error))
        failure = Failure(phase=phases.current or "build", error=type(error).__name__, reason=reason, remedy=remedy,
                          traceback=trace)
        return Record(asked=run.asked, options=run.given, status="failed", failure=failure, notice=run.task.notice,
                      timings=phases.seconds, peak_memory=peak_memory(), environment=self._environment(),
                      created=_now())

    def _raised_in(self, run: Run, error: BaseException) -> str:
        plugin = Owners(self.registry).raised_in(error)
        source = plugin.source if plugin else self.registry.methods[run.method].plugin
        return f"Raised in {source}: mend it there, or tell its author; harness explain shows where"

    def _environment(self) -> Environment:
        return environment([plugin.distribution for plugin in self.registry.plugins], self.device)


def kept_samples(scores: Scores) -> PerSample | None:
    """What the record keeps of each sample. Raises :class:`PluginError` unless it gives the main metric."""
    samples = PerSample.pack(scores.per_sample, scores.statistic)
    name, value = next(iter(scores.metrics.items()))
    if samples is not None and not scales_of(samples, value):
        raise PluginError(f"the task's {name} is {value:.4f}, but {scores.statistic} of its samples is "
                          f"{estimate(samples):.4f}",
                          "Mend the task's scorer: per_sample must give its first metric, or be empty")
    return samples


def _changed(change: str, source: str) -> PluginError:
    return PluginError(f"{change}, by {source}", "Mend it: a method changes context.model and nothing else; it takes a "
                       "copy of what it wants to change (copy.deepcopy)")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
