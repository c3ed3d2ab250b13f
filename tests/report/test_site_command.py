"""``harness site`` as it is called: what it says, and the exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_site import Page, run, write_records

from harness.cli import main


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``call("--output", ...)``: exit code, output and errors."""
    def harness(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["harness", "site", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err
    return harness


def test_it_writes_and_says_where(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    write_records(tmp_path / "results", [run("minmax", "4/4", 0, 100)])
    code, out, err = call("--output", str(tmp_path / "site"), "--results", str(tmp_path / "results"))
    assert (code, err) == (0, "")
    assert out == f"{tmp_path / 'site' / 'index.html'}: 1 records\n"
    assert (tmp_path / "site" / "tasks" / "imagenet.html").exists()


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(
        tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    record = run("minmax", "4/4", 0, 100)
    store = write_records(tmp_path / "results", [record])
    broken = store.path_of(record).with_name("minmax-broken-4-4-s0-0123456789ab.json")
    broken.write_text("{")
    code, out, err = call("--output", str(tmp_path / "site"), "--results", str(tmp_path / "results"))
    assert code == 1
    assert "0123456789ab" in err
    assert "1 records" in out
    assert "0123456789ab" in Page(tmp_path / "site" / "index.html").text
    assert (tmp_path / "site" / "records" / f"{record.identity}.html").exists()


def test_no_records(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = call("--output", str(tmp_path / "site"), "--results", str(tmp_path / "nothing"))
    assert code == 1
    assert "no records" in err
    assert "harness run" in err


def test_a_folder_of_the_user_is_refused(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    write_records(tmp_path / "results", [run("minmax", "4/4", 0, 100)])
    code, _, err = call("--output", str(tmp_path / "results"), "--results", str(tmp_path / "results"))
    assert code == 2
    assert "Traceback" not in err
    assert "nothing was changed" in err
    assert list((tmp_path / "results" / "records").rglob("*.json"))
