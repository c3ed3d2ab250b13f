"""Plugins found through the metadata of installed distributions, and what a faulty one does to the others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from harness import PluginError
from harness.discovery import BLOCK_VARIABLE, discover, plugin_manager
from harness.registry import Registry

GOOD = """
from harness import QuantizerSpec, hookimpl

@hookimpl
def harness_quantizers():
    yield QuantizerSpec(name="{name}", summary="a test's", factory=".code:Good")
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install(name, source)``: a distribution ``dist-<name>`` whose module is a plugin called ``name``."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def write(name: str, source: str, plugin: str | None = None) -> None:
        module = f"planted_{name}"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"dist_{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[harness]\n{plugin or name} = {module}\n")

    yield write
    for module in made:
        sys.modules.pop(module, None)


def _planted() -> list[EntryPoint]:
    return [point for point in entry_points(group="harness") if point.value.startswith("planted_")]


def _load() -> Registry:
    manager = plugin_manager()
    return Registry(manager, discover(manager, _planted()))


def test_a_good_plugin_contributes(install: Install) -> None:
    install("good", GOOD.format(name="squeeze"))
    known = _load()
    assert known.problems == []
    assert list(known.quantizers) == ["squeeze"]
    assert known.quantizers["squeeze"].plugin == "plugin 'good' (dist-good 1.2)"


FAULTS = {
    "missing_package": ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    "raises": ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line second line"),
    "leaves": ("import sys; sys.exit('no GPU')", "SystemExit: no GPU"),
    "syntax": ("def broken(:", "SyntaxError"),
    "misspelt": (GOOD.format(name="x").replace("harness_quantizers", "harness_quantisers"),
                 "unknown hook 'harness_quantisers'; did you mean 'harness_quantizers'?"),
    "unmarked": (GOOD.format(name="x").replace("@hookimpl\n", ""),
                 "function 'harness_quantizers' lacks the @hookimpl marker"),
    "unmarked_and_misspelt": (GOOD.format(name="x").replace("@hookimpl\n", "").replace("quantizers", "quantzers"),
                              "did you mean 'harness_quantizers'?"),
    "argument": (GOOD.format(name="x").replace("harness_quantizers()", "harness_quantizers(device)"), "device"),
    "hook_raises": (GOOD.format(name="x").replace("yield", "raise ValueError('no'); yield"),
                    "harness_quantizers: ValueError: no"),
    "wrong_type": (GOOD.format(name="x").replace("QuantizerSpec(", "dict("), "the hook for a quantizer returned dict"),
    "other_spec": (GOOD.format(name="x").replace("QuantizerSpec", "SearchSpec"),
                   "the hook for a quantizer returned SearchSpec"),
    "bad_name": (GOOD.format(name="My Quantizer"), "quantizer name 'My Quantizer' is not allowed"),
    "not_iterable": (GOOD.format(name="x").replace("yield", "return"), "not iterable"),
}


@pytest.mark.parametrize("fault", ["misspelt", "unmarked", "argument"])
def test_no_hook_of_a_refused_plugin_is_called(install: Install, fault: str) -> None:
    heard = "\nHEARD = []\n@hookimpl\ndef harness_run_started():\n    HEARD.append(1)\n"
    install(fault, FAULTS[fault][0] + heard)
    known = _load()
    known.manager.hook.harness_run_started(run=None)
    assert sys.modules[f"planted_{fault}"].HEARD == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_plugin_is_reported_in_one_line_and_the_others_go_on(install: Install, fault: str) -> None:
    source, message = FAULTS[fault]
    install(fault, source)
    install("a_good", GOOD.format(name="before"))
    install("z_good", GOOD.format(name="after"))
    known = _load()
    assert list(known.quantizers) == ["after", "before"]
    (problem,) = known.problems
    assert problem.startswith(f"plugin '{fault}' (dist-{fault} 1.2): ")
    assert message in problem
    assert "\n" not in problem


def test_two_faults_of_one_plugin_are_both_reported(install: Install) -> None:
    source = GOOD.format(name="A") + GOOD.format(name="B").replace("quantizers", "searches").replace(
        "QuantizerSpec", "SearchSpec")
    install("twice", source)
    (problem,) = _load().problems
    assert "'A' is not allowed" in problem
    assert "'B' is not allowed" in problem


def test_a_name_that_two_plugins_claim_is_usable_from_neither(install: Install) -> None:
    install("one", GOOD.format(name="squeeze"))
    install("two", GOOD.format(name="squeeze"))
    install("three", GOOD.format(name="squeeze"))
    known = _load()
    assert "squeeze" not in known.quantizers
    with pytest.raises(PluginError) as caught:
        known.quantizers["squeeze"]
    for name in ("one", "two", "three"):
        assert f"plugin '{name}' (dist-{name} 1.2)" in str(caught.value)
    assert BLOCK_VARIABLE in caught.value.remedy
    assert len(known.problems) == 2  # the first to come is not at fault alone, but is named in both


def test_two_distributions_with_one_plugin_name(install: Install) -> None:
    install("one", GOOD.format(name="first"), plugin="same")
    install("two", GOOD.format(name="second"), plugin="same")
    known = _load()
    assert len(known.quantizers) == 1  # one of them works
    (problem,) = known.problems
    assert "has the same name" in problem


def test_one_module_under_two_names(install: Install) -> None:
    install("one", GOOD.format(name="first"))
    points = [*_planted(), EntryPoint("other", "planted_one", "harness")]
    manager = plugin_manager()
    known = Registry(manager, discover(manager, points))
    assert list(known.quantizers) == ["first"]
    (problem,) = known.problems
    assert "already registered" in problem


def test_a_blocked_plugin_is_not_even_imported(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("bad", "raise RuntimeError('imported')")
    install("good", GOOD.format(name="squeeze"))
    monkeypatch.setenv(BLOCK_VARIABLE, "bad, unheard_of")
    known = _load()
    assert [plugin.problem for plugin in known.plugins] == [f"blocked by {BLOCK_VARIABLE}", ""]
    assert known.problems == []  # the user knows
    assert "planted_bad" not in sys.modules


def test_a_clash_is_resolved_by_blocking(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("one", GOOD.format(name="squeeze"))
    install("two", GOOD.format(name="squeeze"))
    monkeypatch.setenv(BLOCK_VARIABLE, "one")
    assert _load().quantizers["squeeze"].plugin.startswith("plugin 'two'")
