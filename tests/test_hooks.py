"""Every hook works: the package of docs/plugins.md is installed and run as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib.metadata import EntryPoint, PathDistribution, entry_points
from pathlib import Path
from typing import Any

import pytest

from harness import Choice, SuiteSpec, hookimpl, hookspecs
from harness.discovery import Plugin, discover, plugin_manager
from harness.engine.plan import make_plan
from harness.engine.runner import Runner
from harness.engine.study import make_study
from harness.registry import Registry, registry
from harness.results.record import Record
from harness.results.storage.store import Store
from harness.testing.conformance import MethodConformance

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("harness_")]
PROMISES = [name for name in vars(MethodConformance) if name.startswith("test_")]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry of the built-in plugins and the guide's."""
    folder = tmp_path_factory.mktemp("site-packages")
    for name, text in re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)^```$", GUIDE, flags=re.M | re.S):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    info = folder / "harness_coarse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-coarse\nVersion: 1.0\n")
    point = EntryPoint("coarse", "harness_coarse", "harness")._for(PathDistribution(info))  # type: ignore[attr-defined]
    built_in = [found for found in entry_points(group="harness") if found.dist.name == "quantization-harness"]
    sys.path.insert(0, str(folder))
    manager = plugin_manager()
    yield Registry(manager, discover(manager, [*built_in, point]))
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "harness_coarse"]:
        del sys.modules[name]


def _run(known: Registry, folder: Path, **study: Any) -> list[Record]:
    """What ``harness run`` does, in this process."""
    store = Store(folder)
    planned = make_plan(make_study({"methods": "coarse", "task": "waves", "bits": "4/4"} | study), known, store)
    runner = Runner(known, store, lambda what, total: nullcontext(lambda: None), lambda run, phase: None)
    return [done.record for done in runner.execute(planned) if done.record is not None]


@pytest.fixture
def listen(known: Registry) -> Iterator[Callable[[Any], None]]:
    """Register an object with hook implementations for the length of a test."""
    added: list[Any] = []

    def add(plugin: Any) -> None:
        added.append(plugin)
        known.manager.register(plugin)

    yield add
    for plugin in added:
        known.manager.unregister(plugin)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test_of_its_own(hook: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert f"def test_hook_{hook}(" in sources


def test_the_guides_package_loads(known: Registry) -> None:
    assert known.problems == []
    assert "harness-coarse 1.0" in known.methods["coarse"].plugin


def test_hook_harness_methods(known: Registry, tmp_path: Path) -> None:
    reference, record = _run(known, tmp_path)
    assert (reference.status, record.status) == ("ok", "ok")
    assert record.asked.method == "coarse"
    assert 0 <= record.metrics["top1"] <= 100


def test_hook_harness_quantizers(known: Registry, tmp_path: Path) -> None:
    """A quantizer of one plugin on another plugin's method."""
    _, record = _run(known, tmp_path, methods="minmax", set={"minmax": {"weights": "power_of_two"}})
    assert record.status == "ok", record.failure
    assert "power of two" in str(record.coverage)


def test_hook_harness_searches(known: Registry, tmp_path: Path) -> None:
    _, record = _run(known, tmp_path, set={"coarse": {"search": {"factor": 0.5}}})
    assert record.notes["factor"] == {"factor": 0.5}
    assert record.status == "ok"


def test_hook_harness_losses(known: Registry) -> None:
    import torch

    loss = known.create(known.losses, Choice(name="logit_distance"))
    assert loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])).item() == 2


def test_hook_harness_tasks(known: Registry, tmp_path: Path) -> None:
    records = _run(known, tmp_path, bits="4/4,8/8", seeds="0,1")
    assert len(records) == 5  # the reference, and two bit-widths with two seeds
    assert {record.asked.fingerprint for record in records} == {"waves-1"}


def test_hook_harness_suites() -> None:
    class Seas:
        @hookimpl
        def harness_suites(self) -> list[SuiteSpec]:
            return [SuiteSpec(name="seas", summary="", columns=("waves.top1",), averages={"average": ("waves.top1",)})]

    manager = plugin_manager()
    manager.register(Seas(), "seas")
    own = Registry(manager, [Plugin("seas", "seas_plugin", "harness-seas", "1.0")])
    assert own.tasks_of(["seas", "imagenet"]) == ("waves", "imagenet")
    assert own.suites["seas"].averages == {"average": ("waves.top1",)}


def test_hook_harness_adapters(known: Registry, tmp_path: Path) -> None:
    _, record = _run(known, tmp_path)
    for operand in ("query", "key", "attention", "value"):
        assert f"attn.{operand}" in str(record.coverage)


def test_hook_harness_costs(known: Registry, tmp_path: Path) -> None:
    tokens, width = 5, 8
    products = tokens * 4 * width + tokens * width * 4 * width + 2 * tokens**2 * width + 2 * width
    reference, record = _run(known, tmp_path)
    assert record.costs.bops["macs"] == reference.costs.bops["macs"] == products


class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    @hookimpl
    def harness_run_started(self, run: Any) -> None:
        self.heard.append(("started", run.method))

    @hookimpl
    def harness_run_phase(self, run: Any, phase: str) -> None:
        self.heard.append((phase, run.method))

    @hookimpl
    def harness_run_finished(self, run: Any, record: Record) -> None:
        self.heard.append((f"finished {record.status}", run.method))

    @hookimpl
    def harness_run_failed(self, run: Any, record: Record) -> None:
        self.heard.append((f"failed {record.status}: {record.failure.reason if record.failure else ''}", run.method))


def test_hook_harness_run_started(known: Registry, tmp_path: Path, listen: Callable[[Any], None]) -> None:
    listener = Listener()
    listen(listener)
    _run(known, tmp_path)
    assert [what for what in listener.heard if what[0] == "started"] == [
        ("started", "full_precision"), ("started", "coarse")]
    heard = len(listener.heard)
    _run(known, tmp_path)  # all is recorded: nothing runs
    assert len(listener.heard) == heard


def test_hook_harness_run_phase(known: Registry, tmp_path: Path, listen: Callable[[Any], None]) -> None:
    listener = Listener()
    listen(listener)
    _run(known, tmp_path)
    assert [what for what, method in listener.heard if method == "coarse"] == [
        "started", "place", "calibrate", "evaluate", "cost", "finished ok"]
    assert ("build", "full_precision") in listener.heard  # built once, for all


def test_hook_harness_run_finished(known: Registry, tmp_path: Path) -> None:
    """The guide's own implementation, which takes both arguments."""
    _, record = _run(known, tmp_path)
    label, metrics = sys.modules["harness_coarse"].FINISHED[-1]
    assert label.startswith("coarse 4/4 on waves")
    assert metrics == record.metrics


def test_hook_harness_run_failed(known: Registry, tmp_path: Path, listen: Callable[[Any], None],
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import QuantizationError

    def fail(self: Any, context: Any) -> None:
        raise QuantizationError("no ranges today")

    listener = Listener()
    listen(listener)
    monkeypatch.setattr(known.component(known.methods["coarse"]), "calibrate", fail)
    _run(known, tmp_path)
    assert listener.heard[-1][0].startswith("failed failed: ")
    assert "no ranges today" in listener.heard[-1][0]


def test_a_listener_that_raises_does_not_take_the_run_down(known: Registry, tmp_path: Path,
                                                           listen: Callable[[Any], None]) -> None:
    class Rude:
        @hookimpl
        def harness_run_started(self) -> None:
            raise RuntimeError("rude")

    listen(Rude())
    with pytest.warns(RuntimeWarning, match="rude"):
        records = _run(known, tmp_path)
    assert [record.status for record in records] == ["ok", "ok"]


@pytest.mark.parametrize("promise", PROMISES)
def test_the_guides_method_conforms(known: Registry, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for catalogue in ("methods", "quantizers", "searches"):
        monkeypatch.setattr(registry(), catalogue, getattr(known, catalogue))
    getattr(type("TestCoarse", (MethodConformance,), {"method": "coarse"})(), promise)()
