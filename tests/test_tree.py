"""Rules that hold for the whole tree: sizes, arrows between layers, the public API."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).parents[1]
FOLDERS = ("harness", "plugins", "tasks", "tests", "benchmarks")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
ADDONS = [path for path in FILES if path.relative_to(ROOT).parts[0] in ("plugins", "tasks")]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Level (dots) and module of every import, those inside of functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_the_core_imports_no_plugin_and_no_task() -> None:
    for path in FILES:
        if path.is_relative_to(ROOT / "harness"):
            depth = len(path.relative_to(ROOT / "harness").parts)
            for level, module in _imports(path):
                outside = level in (0, depth + 1)  # A module of the core itself may be called "tasks".
                forbidden = ("harness_plugins", "harness_tasks", *(("plugins", "tasks") if outside else ()))
                assert module.split(".")[0] not in forbidden, path


@pytest.mark.parametrize("path", ADDONS, ids=_name)
def test_plugins_and_tasks_import_the_public_api_only(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts) - 2  # 1: in the plugin's own folder
    for level, module in _imports(path):
        if level == 0:
            root = module.split(".")[0]
            assert root not in ("harness_plugins", "harness_tasks", "plugins", "tasks"), f"{module}: another plugin"
            assert root != "harness" or module == "harness", f"{module}: not the public API"
        else:
            assert level <= max(depth, 0), f"relative import {'.' * level}{module} leaves the plugin"


def test_checkpoints_are_read_in_one_place_only() -> None:
    for path in FILES:
        if path.is_relative_to(ROOT / "tests") or path == ROOT / "harness" / "checkpoints.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("torch", "load"), ("pickle", "load"), ("pickle", "loads")}, (
                    f"{_name(path)}:{node.lineno} reads a checkpoint; use harness.read_weights")


def test_nothing_is_called_utils() -> None:
    assert not [_name(path) for path in FILES if path.stem in ("utils", "util", "helpers", "misc", "common")]


@pytest.mark.parametrize("name", harness.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    assert (getattr(harness, name).__doc__ or "").strip(), f"harness.{name} has no docstring"


def test_public_names_are_sorted_once_and_complete() -> None:
    assert len(set(harness.__all__)) == len(harness.__all__)
    assert set(harness._LAZY) <= set(harness.__all__)
    assert dir(harness) == sorted(harness.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = harness.nonsense
