"""The packages under examples/, installed beside a wheel of the project; nothing of the checkout can be imported."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
from fresh_environment import FreshEnvironment, built_wheel

from harness.scaffold.naming import names_of
from harness.scaffold.package import Kind, make_package

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
NAMES = [folder.name.removeprefix("harness-") for folder in EXAMPLES]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """The project's wheel and both examples, installed."""
    folder = tmp_path_factory.mktemp("examples")
    source = folder / "source"
    for name in ("harness", "plugins", "tasks"):  # a copy: building leaves folders behind
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    made = FreshEnvironment(folder / "environment", with_harness=False)
    made.install(built_wheel(source, folder))
    for example in EXAMPLES:
        shutil.copytree(example, folder / example.name)
        made.install(folder / example.name)
    return made


def test_there_is_a_method_and_a_task() -> None:
    assert NAMES == ["power", "shapes"]


def test_the_harness_is_the_wheels(environment: FreshEnvironment, tmp_path: Path) -> None:
    code = "import harness, harness_plugins.minmax as m; print(harness.__file__); print(m.__file__)"
    said = environment.call("-c", code, cwd=tmp_path)
    for line in said.splitlines():
        assert Path(line).is_relative_to(environment.folder), line


def test_they_are_listed_with_version_and_api(environment: FreshEnvironment, tmp_path: Path) -> None:
    listed = json.loads(environment.harness("list", "plugins", "--json", cwd=tmp_path))
    for name in NAMES:
        (plugin,) = [plugin for plugin in listed if plugin["name"] == name]
        source = plugin.pop("source")
        assert plugin == {"name": name, "version": "1.0", "distribution": f"harness-{name}", "api": "1.0",
                          "status": "ok"}
        assert Path(source).is_relative_to(environment.folder)


def test_new_packages_are_made_from_the_wheel(environment: FreshEnvironment, tmp_path: Path) -> None:
    """Templates included, those of hidden files too."""
    for kind in Kind:
        environment.harness("new", kind.value, f"from-wheel-{kind.value}", cwd=tmp_path)
        made = tmp_path / f"harness-from-wheel-{kind.value}"
        here = make_package(kind, names_of(f"from-wheel-{kind.value}"), tmp_path / "here")
        files = {path.relative_to(here): path.read_text() for path in here.rglob("*") if path.is_file()}
        assert {path.relative_to(made): path.read_text() for path in made.rglob("*") if path.is_file()} == files


def test_the_method_runs_on_the_task(environment: FreshEnvironment, tmp_path: Path) -> None:
    said = environment.harness("run", "--methods", "power,minmax", "--task", "shapes", "--bits", "4/4", "--limit", "20",
                               "--calibration", "8", "--budget", "steps=2", cwd=tmp_path, HARNESS_STRICT="1")
    assert "power 4/4 on shapes" in said
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("records/*/*.json")]
    assert sorted(record["asked"]["method"] for record in records) == ["full_precision", "minmax", "power"]
    assert all(record["status"] == "ok" and record["metrics"]["iou"] > 10 for record in records)
    (power,) = [record for record in records if record["asked"]["method"] == "power"]
    assert "power 1.5" in json.dumps(power["coverage"])


def test_what_does_not_fit_is_said_before_anything_runs(environment: FreshEnvironment, tmp_path: Path) -> None:
    said = environment.harness("plan", "--methods", "variation", "--task", "shapes", "--bits", "4/4", cwd=tmp_path)
    assert "not possible: mckd is made for classification, and shapes is a task of segmentation" in said


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_its_own_tests_pass(environment: FreshEnvironment, example: Path) -> None:
    """Among them the conformance suite."""
    folder = environment.folder.parent / example.name
    assert " passed" in environment.call("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_only_the_public_interface_is_used(example: Path) -> None:
    for path in example.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
            for module in modules:
                assert module in ("harness", "harness.testing") or module.split(".")[0] not in (
                    "harness", "harness_plugins", "harness_tasks"), f"{path}: {module}"
