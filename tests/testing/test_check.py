"""The three ways to run the laws: ``harness check``, pytest with ``--plugin``, and a class of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from faulty.counting import COST
from faulty.methods import METHOD
from typer.testing import CliRunner

from harness import OptionError, UnknownNameError
from harness.cli.check import _given, check
from harness.discovery import Plugin
from harness.registry import registry
from harness.testing import CostConformance
from harness.testing.cases import cases
from harness.testing.law import Conformance

Plant = Callable[..., Conformance]
BROKEN: dict[str, Any] = {"factory": "faulty.counting:upside_down"}


def checked(*arguments: str) -> Any:
    """What ``harness check`` does with these arguments."""
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, arguments)


class TestFourLines(CostConformance):
    """A class of one's own."""

    cost = "plain"


def test_a_sound_component_passes(plant: Plant) -> None:
    plant("cost", COST.sound)
    done = checked("planted")
    assert done.exit_code == 0, done.output
    assert "cost planted  (plugin 'faulty' (harness-faulty 1.2))" in done.output
    assert "  pass  fewer bits cost no more\n" in done.output
    assert "laws, all kept" in done.output


def test_a_broken_law_is_named_with_what_was_seen_and_what_to_mend(plant: Plant) -> None:
    plant("cost", replace(COST.sound, **BROKEN))
    done = checked("planted")
    assert done.exit_code == 1
    assert "  FAIL  fewer bits cost no more\n        4 bits cost" in done.output
    assert "Mend: Count the bits of both operands: operand.mean_bits" in done.output
    assert "1 broken" in done.output


def test_of_code_that_cannot_be_loaded_one_law_is_said_to_be_broken(plant: Plant) -> None:
    plant("cost", replace(COST.sound, factory="faulty.counting:nowhere"))
    done = checked("planted")
    assert done.exit_code == 1
    assert "cannot load faulty.counting:nowhere" in done.output
    assert "1 laws, 1 broken" in done.output


def test_an_error_that_is_no_message_says_where_it_was_raised(plant: Plant) -> None:
    plant("cost", replace(COST.sound, factory="faulty.counting:crashes"))
    done = checked("planted")
    assert "        ZeroDivisionError: no number\n" in done.output
    assert "faulty/counting.py" in done.output


def test_the_name_of_a_plugin_stands_for_all_that_it_contributes(plant: Plant) -> None:
    plant("cost", COST.sound)
    plant("method", replace(METHOD.sound, name="planted-method", factory="faulty.methods:Nowhere"))
    done = json.loads(checked("faulty", "--json").output)
    assert [(each["kind"], each["name"]) for each in done["components"]] == [
        ("method", "planted-method"), ("cost", "planted")]
    assert done["plugins"] == [
        {"name": "faulty", "distribution": "harness-faulty", "version": "1.2", "problem": ""}]


def test_the_report_for_programs(plant: Plant) -> None:
    plant("cost", replace(COST.sound, **BROKEN))
    result = checked("planted", "--json")
    assert result.exit_code == 1
    done = json.loads(result.output)
    assert done["broken"] == 1
    (component,) = done["components"]
    (law,) = [law for law in component["laws"] if not law["kept"]]
    assert law["law"] == "test_fewer_bits_cost_no_more"
    assert law["seen"].startswith("4 bits cost")
    assert law["mend"]


def test_options_can_be_given(plant: Plant) -> None:
    plant("cost", COST.sound)
    assert checked("uniform", "--set", "uniform.granularity=channel").exit_code == 0
    assert "NAME one of uniform" in str(checked("uniform", "--set", "unifrom.granularity=channel").exception)


@pytest.mark.parametrize(("arguments", "error", "says"), [
    (["planed"], UnknownNameError, "unknown plugin, method or component 'planed'"),
    ([], OptionError, "nothing to check")])
def test_a_mistake_of_the_user(plant: Plant, arguments: list[str], error: type[Exception], says: str) -> None:
    plant("cost", COST.sound)
    done = checked(*arguments)
    assert isinstance(done.exception, error)
    assert says in str(done.exception)


def test_a_plugin_that_cannot_be_used_breaks_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Plugin("torn", "torn", "harness-torn", "3.0", problem="ModuleNotFoundError: No module named 'thread'")
    monkeypatch.setattr(registry(), "plugins", [broken])
    done = checked("torn")
    assert done.exit_code == 1
    assert "plugin 'torn' (harness-torn 3.0)\n  ModuleNotFoundError: No module named 'thread'" in done.output


def test_one_of_two_plugins_that_claim_a_name_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Plugin("first", "first", "harness-first", "1.0")
    second = Plugin("second", "second", "harness-second", "2.0",
                    problem=f"method 'x' is contributed by {first.source} and plugin 'second' (harness-second 2.0)")
    monkeypatch.setattr(registry(), "plugins", [first, second])
    done = checked("first")
    assert done.exit_code == 1
    assert "plugin 'first' (harness-first 1.0)\n  method 'x' is contributed by" in done.output


def test_a_component_that_does_not_end_is_given_up_and_the_next_is_tried(plant: Plant) -> None:
    plant("cost", replace(COST.sound, factory="faulty.counting:endless"))
    plant("cost", replace(COST.sound, name="next"))
    done = checked("planted", "next", "--timeout", "0.5")
    assert done.exit_code == 1
    assert "  FAIL  it is a number\n        not done after 0.5 seconds (--timeout)\n" in done.output
    assert "keeps plugin 'faulty' (harness-faulty 1.2): it was stopped in endless, " in done.output
    assert done.output.count("it is a function of the operations") == 1  # of the next one
    assert "1 broken" in done.output


def test_what_two_components_are_called_is_set_for_the_method() -> None:
    found = cases(registry(), ["minmax"])
    given = _given(found, {"minmax": {"scope": "no_head"}})
    assert {case.label: options for case, options in zip(found, given, strict=True)} == {
        "method minmax": {"scope": "no_head"}, "search minmax": {}}


def test_nothing_is_said_in_pictures(plant: Plant) -> None:
    plant("cost", replace(COST.sound, factory="faulty:key:nowhere"))
    assert "cannot load faulty:key:nowhere" in checked("planted").output


PLUGIN = """
from dataclasses import replace
from harness import hookimpl
from faulty.counting import COST

@hookimpl
def harness_costs():
    yield replace(COST.sound, name="sound")
    yield replace(COST.sound, name="upside-down", factory="faulty.counting:upside_down")
"""


@pytest.fixture
def tested(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``pytest --pyargs harness.testing`` in a process, where an installed distribution has the plugin ``mixed``."""
    (tmp_path / "mixed.py").write_text(PLUGIN)
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
    (plugin,) = declared["pytest11"].items()
    for name, points in (("mixed", "[harness]\nmixed = mixed\n"), ("suite", "[pytest11]\n{} = {}\n".format(*plugin))):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parent), *filter(None, sys.path)])
        return subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "harness.testing",
                               *arguments], cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, capture_output=True,
                              text=True, check=False)

    return run


def test_pytest_runs_the_same_laws(tested: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = tested("--plugin", "mixed")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 20 passed" in done.stdout
    assert "[cost upside-down-fewer_bits_cost_no_more]" in done.stdout
    assert "what to mend" in done.stdout
    assert "Count the bits of both operands" in done.stdout


@pytest.mark.parametrize(("arguments", "says"), [
    ([], "name what to check, as in --plugin minmax"),
    (["--plugin", "mixt"], "unknown plugin, method or component 'mixt'")])
def test_pytest_says_what_is_wrong(tested: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str],
                                   says: str) -> None:
    done = tested(*arguments)
    assert done.returncode not in (0, 1), done.stdout
    assert says in done.stdout + done.stderr
