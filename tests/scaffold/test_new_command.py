"""``harness new`` in words: names, folders, and what it says."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from harness import DataError, OptionError, StoreError
from harness.cli.new import new
from harness.scaffold.naming import Names, names_of
from harness.scaffold.package import TEMPLATES, Kind, make_package


@pytest.mark.parametrize(("name", "names"), [
    ("clip", ("harness-clip", "harness_clip", "Clip")),
    ("my-clip", ("harness-my-clip", "harness_my_clip", "MyClip")),
    ("my_clip2", ("harness-my-clip2", "harness_my_clip2", "MyClip2"))])
def test_names_in_each_place(name: str, names: tuple[str, ...]) -> None:
    found = names_of(name)
    assert (found.distribution, found.module, found.class_name) == names


@pytest.mark.parametrize(("name", "hint"), [
    ("MyClip", "my-clip"), ("my clip", "my-clip"), ("clip!", "clip"), ("harness-clip", "clip"), ("2clip", "clip"),
    ("-clip-", "clip"), ("my--clip", "my-clip"), ("a/b", "a-b"), ("../up", "up"), ("Schritt_Größe", "schritt_gr-e")])
def test_a_bad_name_gets_a_good_one(name: str, hint: str) -> None:
    with pytest.raises(OptionError, match="cannot be the name of a plugin") as caught:
        names_of(name)
    assert caught.value.remedy.startswith(f"Did you mean '{hint}'? ")
    assert names_of(hint) == Names(hint)


@pytest.mark.parametrize("name", ["", "!", "42", "-"])
def test_a_hopeless_name_gets_the_rule(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        names_of(name)
    assert caught.value.remedy.startswith("Use lower-case letters")


@pytest.mark.parametrize(("kind", "name"), [(Kind.method, "minmax"), (Kind.task, "imagenet"), (Kind.task, "detection"),
                                            (Kind.method, "omse")])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, kind: Kind, name: str) -> None:
    with pytest.raises(OptionError, match=rf"'{name}' is taken, by plugin '\w+' \(quantization-harness"):
        new(kind, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_it_says_the_next_three_commands(tmp_path: Path, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    new(kind, "my-part", tmp_path / "with space")
    said = capsys.readouterr().out
    commands = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert [command.split()[1] for command in commands] == ["install", "run", "check"]
    assert commands[0] == f"pip install -e '{tmp_path / 'with space' / 'harness-my-part'}[test]'"
    assert "my-part" in commands[1]


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "harness-clip" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        make_package(Kind.method, Names("clip"), tmp_path)
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        make_package(Kind.method, Names("clip"), tmp_path / "file" / "inside")


def test_without_copier_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(DataError, match="copier") as caught:
        make_package(Kind.method, Names("clip"), tmp_path)
    assert "quantization-harness[new]" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_of_the_template_is_left_over(tmp_path: Path, kind: Kind) -> None:
    folder = make_package(kind, Names("my-part"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["harness-my-part"]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".jinja", ".pyc") or path.name == "copier.yml"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\{\{|\{%", text), path
        assert text.endswith("\n")
        assert max(map(len, text.splitlines()), default=0) <= 120, path
        if path.suffix == ".py":
            compile(text, str(path), "exec")
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["harness"] == {"my-part": "harness_my_part"}
    assert (folder / ".github" / "workflows" / "tests.yml").is_file()


def test_no_template_is_hidden() -> None:
    """Setuptools would leave it out of the wheel."""
    assert not [path for path in TEMPLATES.rglob(".*")]


def test_every_template_is_used(tmp_path: Path) -> None:
    made = set()
    for kind in Kind:
        folder = make_package(kind, Names(kind.value), tmp_path)
        made |= {path.relative_to(folder).as_posix().replace(f"harness_{kind.value}", "{{module}}")
                 for path in folder.rglob("*") if path.is_file()}
    templates = {path.relative_to(TEMPLATES).as_posix().partition("/")[2].removesuffix(".jinja").replace("{{dot}}", ".")
                 for path in TEMPLATES.rglob("*") if path.is_file() and path.name != "copier.yml"}
    assert made == templates
