"""What a method must not do in a run: each is met by a failure that names the plugin, and the next run is as ever."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty.adapters import ADAPTER
from faulty.any_component import Mutable, Thawed
from faulty.methods import METHOD, Sound
from faulty.tasks import TASK

from harness import Context, Method, MethodSpec, Options, PluginError, hookimpl
from harness.engine.plan import make_plan
from harness.engine.runner import Finished, Runner
from harness.engine.study import make_study
from harness.engine.time_limit import time_limit
from harness.registry import Catalogue, registry
from harness.results.record import Failure, Record
from harness.results.storage.store import Store
from harness.testing.law import Conformance

SOUND: Any = METHOD.sound
SOURCE = "plugin 'faulty' (harness-faulty 1.2)"
Run = Callable[..., tuple[Failure, Record]]


class Sleeps(Sound):
    def calibrate(self, context: Context) -> None:
        while True:
            time.sleep(0.01)


class SwallowsAll(Sound):
    def calibrate(self, context: Context) -> None:
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # noqa: BLE001 - what such methods do
                continue


class Leaves(Sound):
    def calibrate(self, context: Context) -> None:
        sys.exit("no GPU")


class TakesNothing(Method[Options]):
    def __init__(self) -> None:
        """Without the options that a method is given."""

    def place(self, context: Context) -> None: ...

    def calibrate(self, context: Context) -> None: ...


@pytest.fixture
def run(plant: Callable[..., Conformance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(factory, timeout=...)``: the failure of a method, and the record of min-max, which runs after it."""
    monkeypatch.chdir(tmp_path)
    plant("adapter", ADAPTER.sound)
    plant("task", TASK.sound)

    def ran(factory: str, task: str = "planted", **settings: Any) -> tuple[Failure, Record]:
        plant("method", replace(SOUND, factory=factory, trains=True, ablations={}))
        store = Store(tmp_path / "results")
        keys = {"methods": "planted,minmax", "task": task, "calibration": 4, "limit": 4, "budget": "steps=1"}
        planned = make_plan(make_study(keys), registry(), store)
        runner = Runner(registry(), store, lambda what, total: nullcontext(lambda text="": None),
                        lambda run, phase: None, **settings)
        done: dict[str, Finished] = {finished.run.method: finished for finished in runner.execute(planned)}
        assert done["full_precision"].outcome == done["minmax"].outcome == "done"
        failed, after = done["planted"].record, done["minmax"].record
        assert failed is not None
        assert failed.failure is not None, "the run did not fail"
        assert after is not None
        return failed.failure, after

    return ran


@pytest.fixture
def undisturbed(run: Run) -> Record:
    """Min-max where nobody did anything wrong before it."""
    return run(f"{__name__}:Leaves")[1]


@pytest.mark.parametrize(("factory", "says", "mend"), [
    ("faulty.methods:MakesNan", "NaN comes out of 'head'", "division by zero"),
    ("faulty.methods:ChangesTeacher", "of the teacher was changed", "deepcopy"),
    ("faulty.methods:ChangesOriginal", "of the full-precision model was changed", "deepcopy"),
    ("faulty.methods:Hooks", "a hook was left on model.head", "handle.remove()"),
    ("faulty.methods:Writes", "was about to write", "harness.cache_folder"),
    (f"{__name__}:Leaves", "no GPU", "Raised in"),
    (f"{__name__}:TakesNothing", "takes 1 positional argument but 2 were given", "mend it there"),
])
def test_the_run_fails_with_the_plugins_name_and_the_next_is_as_ever(
        run: Run, factory: str, says: str, mend: str, undisturbed: Record, tmp_path: Path) -> None:
    (tmp_path / "results").rename(tmp_path / "before")
    failure, after = run(factory)
    assert says in failure.reason
    assert mend in failure.remedy
    assert SOURCE in failure.reason + failure.remedy
    assert after.metrics == undisturbed.metrics
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "results"]


@pytest.mark.parametrize("method", ["Sleeps", "SwallowsAll"])
def test_a_method_that_never_ends_is_stopped(run: Run, method: str, undisturbed: Record, tmp_path: Path) -> None:
    (tmp_path / "results").rename(tmp_path / "before")
    start = time.monotonic()
    failure, after = run(f"{__name__}:{method}", timeout=2.0)
    assert failure.error == "TimeLimitError"
    assert failure.phase == "calibrate"
    assert failure.reason == "not done after 2 seconds (--timeout)"
    assert SOURCE in failure.remedy
    assert time.monotonic() - start < 60
    assert after.metrics == undisturbed.metrics


def test_a_time_limit_is_over_with_its_block() -> None:
    with time_limit(0.2, SOURCE):
        pass
    time.sleep(0.4)


def test_a_time_limit_outside_of_the_main_thread_is_refused_in_words() -> None:
    caught: list[Exception] = []

    def limited() -> None:
        try:
            with time_limit(1.0, SOURCE):
                pass
        except Exception as error:  # noqa: BLE001 - told to the test
            caught.append(error)

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert "needs the main thread" in str(caught[0])


@pytest.mark.parametrize(("options", "says"), [
    (Mutable, "method 'planted': option 'layers' has the mutable default []"),
    (Thawed, "method 'planted': Thawed is not frozen"), (dict, "the options of method 'planted' are <class 'dict'>")])
def test_options_that_could_change_are_refused_when_they_are_registered(options: Any, says: str) -> None:
    with pytest.raises(PluginError) as caught:
        Catalogue("method", MethodSpec).add(replace(SOUND, options=options))
    assert caught.value.message == says
    assert "harness.Options" in caught.value.remedy


def test_a_logger_may_write_where_it_was_told_to(run: Run, tmp_path: Path) -> None:
    """The hooks of the life cycle act for the user, not for the run."""
    class Logger:
        @hookimpl
        def harness_run_phase(self, run: Any, phase: str) -> None:
            (tmp_path / "log.txt").write_text(phase)

    logger = Logger()
    registry().manager.register(logger)
    try:
        run("faulty.methods:Writes")
    finally:
        registry().manager.unregister(logger)
    assert (tmp_path / "log.txt").read_text() == "cost"


@pytest.mark.parametrize(("factory", "says"), [
    ("NanOutputs", "the model's outputs are NaN"), ("NotANumber", "the metric top1 is nan")])
def test_nan_of_a_task_is_its_plugins_affair(plant: Callable[..., Conformance], tmp_path: Path, factory: str, says: str
                                             ) -> None:
    plant("adapter", ADAPTER.sound)
    plant("task", replace(TASK.sound, factory=f"faulty.tasks:{factory}"))
    store = Store(tmp_path)
    planned = make_plan(make_study({"methods": "full_precision", "task": "planted", "limit": 4}), registry(), store)
    runner = Runner(registry(), store, lambda what, total: nullcontext(lambda text="": None), lambda run, phase: None)
    (finished,) = runner.execute(planned)
    assert finished.reason == f"{says}, from {SOURCE}"
