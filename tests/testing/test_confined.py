"""Where the code of a plugin may write while a run is on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import PluginError, cache_folder
from harness.discovery import Plugin
from harness.engine.writes import confined, free
from harness.registry import registry
from harness.results.storage.atomic import write_text


def _keep_in_the_cache() -> None:
    folder = cache_folder("faulty")
    assert folder is not None
    (folder / "ranges.txt").write_text("4")


def _keep_for_a_while() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ranges.txt").write_text("4")
        shutil.rmtree(folder)
        Path(folder).mkdir()
    with tempfile.TemporaryFile() as file:
        file.write(b"4")


def _write_beside() -> None:
    Path("ranges.txt").touch()


def _rename() -> None:
    Path("here.txt").rename("there.txt")


def _make_a_folder() -> None:
    Path("ranges").mkdir()


def _remove() -> None:
    Path("here.txt").unlink()


def _write_by_descriptor() -> None:
    os.close(os.open("ranges.txt", os.O_CREAT | os.O_WRONLY))


@pytest.fixture
def confined_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a file in it, and this module as the plugin's code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (here := tmp_path / "here").mkdir()
    (here / "here.txt").touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(registry(), "plugins", [Plugin("faulty", __name__, "harness-faulty", "1.2")])
    with confined(registry(), [tmp_path / "results"]):
        yield here


@pytest.mark.parametrize("write", [_keep_in_the_cache, _keep_for_a_while])
def test_a_plugin_may_write_in_the_cache_and_among_temporary_files(confined_here: Path, write: Callable[[], None]
                                                                    ) -> None:
    write()
    assert [path.name for path in confined_here.iterdir()] == ["here.txt"]


@pytest.mark.parametrize("write", [_write_beside, _rename, _make_a_folder, _remove, _write_by_descriptor])
def test_a_plugin_may_change_nothing_elsewhere(confined_here: Path, write: Callable[[], None]) -> None:
    with pytest.raises(PluginError, match="was about to write"):
        write()
    assert [path.name for path in confined_here.iterdir()] == ["here.txt"]


def test_reading_is_free_and_so_are_the_results_and_what_the_harness_writes(confined_here: Path) -> None:
    assert Path("here.txt").read_text() == ""
    (confined_here.parent / "results").mkdir()
    (confined_here.parent / "results" / "notes.txt").write_text("4")
    write_text(confined_here / "record.json", "{}")
    with free():
        Path("log.txt").write_text("as the user said")
    assert sorted(path.name for path in confined_here.iterdir()) == ["here.txt", "log.txt", "record.json"]
