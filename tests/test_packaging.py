"""What gets installed: every folder, every plugin with its entry point and README, and every data file."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
ADDONS = [folder.parent for top in ("plugins", "tasks") for folder in sorted((ROOT / top).glob("*/__init__.py"))]


def _package(folder: Path) -> str:
    """The import name of a folder: plugins/x is installed as harness_plugins.x."""
    top, *rest = folder.relative_to(ROOT).parts
    return ".".join([{"harness": "harness", "plugins": "harness_plugins", "tasks": "harness_tasks"}[top], *rest])


def test_every_package_folder_is_installed() -> None:
    folders = [path.parent for top in ("harness", "plugins", "tasks") for path in (ROOT / top).rglob("__init__.py")]
    assert sorted(map(_package, folders)) == sorted(SETUPTOOLS["packages"])


@pytest.mark.parametrize("folder", ADDONS, ids=lambda folder: folder.name)
def test_every_plugin_has_an_entry_point_and_a_readme(folder: Path) -> None:
    assert _package(folder) in PROJECT["project"]["entry-points"]["harness"].values()
    assert len((folder / "README.md").read_text(encoding="utf-8")) > 200


def test_every_entry_point_has_its_folder() -> None:
    for module in PROJECT["project"]["entry-points"]["harness"].values():
        assert module == "harness.builtin" or module in map(_package, ADDONS)


def test_every_data_file_is_installed() -> None:
    data = SETUPTOOLS["package-data"]
    for top in ("harness", "plugins", "tasks"):
        for path in (ROOT / top).rglob("*"):
            if not path.is_file() or path.suffix in (".py", ".pyc"):
                continue
            package = next(parent for parent in path.parents if (parent / "__init__.py").exists())
            inside = path.relative_to(package).as_posix()
            patterns = (*data["*"], *data.get(_package(package), ()))
            assert any(fnmatch.fnmatch(inside, pattern) for pattern in patterns), f"{path} would not be installed"


def test_the_version_is_written_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
