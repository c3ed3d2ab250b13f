"""The folder of a site: in place at once, and nothing of the user's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.report.site.folder import MARKER, replacing


def write(folder: Path, text: str = "new", name: str = "index.html") -> None:
    with replacing(folder) as beside:
        (beside / "records").mkdir()
        (beside / "records" / name).write_text(text)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


@pytest.mark.parametrize("before", ["missing", "empty", "nested"])
def test_a_new_folder(tmp_path: Path, before: str) -> None:
    folder = tmp_path / "a" / "b" if before == "nested" else tmp_path / "site"
    if before == "empty":
        folder.mkdir()
    write(folder)
    assert names(folder) == {"records/index.html", MARKER}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_earlier_site_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / "site", name="gone.html")
    write(tmp_path / "site", "second")
    assert names(tmp_path / "site") == {"records/index.html", MARKER}
    assert (tmp_path / "site" / "records" / "index.html").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("mine", ["thesis.txt", "sub/thesis.txt"])
def test_a_folder_that_is_no_site_is_refused(tmp_path: Path, mine: str) -> None:
    file = tmp_path / "site" / mine
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(StoreError, match="not a site") as refused:
        write(tmp_path / "site")
    assert "nothing was changed" in refused.value.remedy
    assert names(tmp_path) == {f"site/{mine}"}
    assert file.read_text() == "mine"


def test_a_file_of_the_user_in_a_site_is_named(tmp_path: Path) -> None:
    write(tmp_path / "site")
    (tmp_path / "site" / "records" / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"records/mine\.txt"):
        write(tmp_path / "site", "second")
    assert (tmp_path / "site" / "records" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "site" / "records" / "index.html").read_text() == "new"


def test_a_link_to_a_folder_is_the_users_as_well(tmp_path: Path) -> None:
    write(tmp_path / "site")
    (tmp_path / "data").mkdir()
    (tmp_path / "site" / "data").symlink_to(tmp_path / "data")
    with pytest.raises(StoreError, match="site holds data"):
        write(tmp_path / "site")


def test_what_comes_while_the_site_is_made_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "site")
    with pytest.raises(StoreError, match=r"mine\.txt"), replacing(tmp_path / "site"):
        (tmp_path / "site" / "mine.txt").write_text("mine")
    assert names(tmp_path) == {"site/mine.txt", "site/records/index.html", f"site/{MARKER}"}


def test_a_failure_leaves_the_earlier_site(tmp_path: Path) -> None:
    write(tmp_path / "site")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "site") as beside:
        (beside / "missing" / "half.html").write_text("half")
    assert names(tmp_path) == {"site/records/index.html", f"site/{MARKER}"}


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    with pytest.raises(StoreError, match="is a file"):
        write(tmp_path / "site")
    assert (tmp_path / "site").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"files": null}'])
def test_a_damaged_marker(tmp_path: Path, text: str) -> None:
    write(tmp_path / "site")
    (tmp_path / "site" / MARKER).write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        write(tmp_path / "site")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "real")
    write(tmp_path / "site")
    assert (tmp_path / "site").is_symlink()
    assert names(tmp_path / "real") == {"records/index.html", MARKER}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use"):
        write(tmp_path / "file" / "site")
