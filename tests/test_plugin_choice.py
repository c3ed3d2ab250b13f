"""Which plugins are used: those for this API, those the user names; and what strict mode does of the others."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

import harness
from harness import PluginError, api
from harness import registry as registry_module
from harness.api import API_VERSION, api_problem
from harness.cli import app
from harness.discovery import BLOCK_VARIABLE, ONLY_VARIABLE, STRICT_VARIABLE, Plugin, discover, plugin_manager
from harness.located import located, source_path
from harness.registry import Registry, registry

SOURCE = """
{declaration}
import {imported}
from harness import QuantizerSpec, hookimpl

@hookimpl
def harness_quantizers():
    yield QuantizerSpec(name="{name}", summary="a test's", factory=".code:Good")
"""


@pytest.fixture(autouse=True)
def _choice_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (BLOCK_VARIABLE, ONLY_VARIABLE, STRICT_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``load(name=declaration, ...)``: what is found of plugins with these declarations."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def loaded(imported: str = "os", **declared: str) -> Registry:
        names.extend(declared)
        for name, declaration in declared.items():
            (tmp_path / f"chosen_{name}.py").write_text(
                SOURCE.format(declaration=declaration, name=name, imported=imported))
        manager = plugin_manager()
        points = [EntryPoint(name, f"chosen_{name}", "harness") for name in declared]
        return Registry(manager, discover(manager, points))

    yield loaded
    for name in names:
        sys.modules.pop(f"chosen_{name}", None)


@pytest.mark.parametrize("declaration", [
    f'harness_api = "{API_VERSION}"', f"harness_api: str = '{API_VERSION}'  # a note", ""])
def test_a_plugin_for_this_api_is_used_and_one_that_declares_none(load, declaration: str) -> None:
    known = load(good=declaration)
    assert known.problems == []
    assert list(known.quantizers) == ["good"]
    assert known.plugins[0].api == (API_VERSION if declaration else "")


def test_a_plugin_for_another_api_is_refused_before_it_is_imported(load) -> None:
    """Its import would fail, with a message that does not say why."""
    known = load(newer='harness_api = "1.7"', good="")
    assert list(known.quantizers) == ["good"]
    (problem,) = known.problems
    assert problem == ("plugin 'newer' (unknown): it is written for API 1.7, and this harness has 1.0; upgrade the "
                       "harness: pip install --upgrade quantization-harness")
    assert "chosen_newer" not in sys.modules


def test_an_import_error_of_one_for_this_api_is_shown_as_it_is(load) -> None:
    (problem,) = load(imported="nowhere_to_be_found", bad=f'harness_api = "{API_VERSION}"').problems
    assert "ModuleNotFoundError" in problem


@pytest.mark.parametrize(("ours", "declared", "problem"), [
    ("1.0", "1.0", ""), ("1.3", "1.0", ""), ("1.3", "1.3", ""), ("1.3", "", ""), ("1.9", "1.10", "upgrade the harness"),
    ("1.3", "2.0", "upgrade the harness"), ("2.1", "1.9", "where names of 1.x are gone; upgrade the plugin"),
    ("1.0", "1", "is no API version; write harness_api = '1.0'"), ("1.0", "one", "is no API version"),
    ("1.0", "VERSION", "is no API version")])
def test_which_versions_go_together(monkeypatch: pytest.MonkeyPatch, ours: str, declared: str, problem: str) -> None:
    monkeypatch.setattr(api, "API_VERSION", ours)
    said = api_problem(declared)
    assert problem in said
    assert bool(said) == bool(problem)


def test_the_version_is_public() -> None:
    assert harness.API_VERSION == API_VERSION
    assert api_problem(API_VERSION) == ""


def test_only_some_plugins_are_loaded_and_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ONLY_VARIABLE, "minmax, classification")
    manager = plugin_manager()
    known = Registry(manager, discover(manager))
    assert list(known.methods) == ["full_precision", "minmax"]
    assert "imagenet" in known.tasks
    assert "coco-detr" not in known.tasks
    assert known.problems == []  # the user knows
    left_out = {plugin.problem for plugin in known.plugins if plugin.name == "lsq"}
    assert left_out == {f"not among those of {ONLY_VARIABLE}"}


def test_a_misspelt_name_among_them_is_said(load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ONLY_VARIABLE, "goood")
    known = load(good="")
    assert list(known.quantizers) == []
    assert known.problems == [f"plugin 'goood' (not installed): {ONLY_VARIABLE} names it; did you mean 'good'?"]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The installed plugins, and one that cannot be used."""
    manager = plugin_manager()
    known = Registry(manager, [Plugin("bad", "bad", "harness-bad", "1.2", "RuntimeError: no")])
    monkeypatch.setattr(registry_module, "installed", lambda: known)
    monkeypatch.setattr("harness.cli.listing.installed", lambda: known)
    monkeypatch.setattr("harness.cli.doctor.installed", lambda: known)
    return known


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_without_strict_mode_the_others_go_on(broken: Registry, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(STRICT_VARIABLE, value)
    assert registry() is broken
    assert CliRunner().invoke(app, ["list", "plugins"]).exit_code == 0
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1


def test_strict_mode_turns_trouble_into_an_error(broken: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    with pytest.raises(PluginError, match=r"plugin 'bad' \(harness-bad 1.2\): RuntimeError: no") as caught:
        registry()
    assert STRICT_VARIABLE in caught.value.remedy


def test_in_strict_mode_what_is_wrong_is_still_shown(broken: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    for command in (["list", "plugins"], ["doctor"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 2
        assert "RuntimeError: no" in done.output


def test_the_option_before_a_command_does_the_same(broken: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_VARIABLE, "0")  # and is put back after the test
    assert CliRunner().invoke(app, ["--strict", "list", "plugins"]).exit_code == 2
    assert os.environ[STRICT_VARIABLE] == "1"


def test_plugins_are_listed_with_version_source_and_api() -> None:
    listed = json.loads(CliRunner().invoke(app, ["list", "plugins", "--json"]).output)
    (minmax,) = [plugin for plugin in listed if plugin["name"] == "minmax"]
    assert minmax.pop("source").endswith("minmax")
    assert minmax == {"name": "minmax", "version": harness.__version__, "distribution": "quantization-harness",
                      "api": API_VERSION, "status": "ok"}


def test_a_module_is_found_without_importing_the_packages_around_it(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "found_outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "found_outer" / "__init__.py").write_text("raise RuntimeError")
    (inner / "__init__.py").write_text("raise RuntimeError")
    (inner / "leaf.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_path("found_outer.inner") == str(inner)
    assert source_path("found_outer.inner.leaf:attribute") == str(inner / "leaf.py")
    assert located("found_outer.nothing") is located("no_such_module.inner") is None
    assert source_path("sys") == source_path("") == ""
