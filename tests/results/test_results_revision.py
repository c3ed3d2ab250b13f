"""Records at a commit: read from git, nothing checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from made_records import make_record

from harness import DataError
from harness.results.revision import records_at
from harness.results.storage.store import Store


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *settings, "-C", str(folder), *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One record in a folder ``deep/results``, then two and what a writer left; a third is not committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--initial-branch", "main")
    (folder / "README").write_text("nothing")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "none")
    store = Store(folder / "deep" / "results")
    for method in ("minmax", "omse"):
        path = store.put(make_record(method))
        path.with_name(f".{path.name}").write_text("{")
        git(folder, "add", ".")
        git(folder, "commit", "-m", method)
    store.put(make_record("igqvit"))
    return folder


def test_the_records_of_each_commit(repository: Path) -> None:
    results = repository / "deep" / "results"
    for commit, expected in (("HEAD~1", {"minmax"}), ("HEAD", {"minmax", "omse"}), ("main", {"minmax", "omse"}),
                             (git(repository, "rev-parse", "HEAD")[:8], {"minmax", "omse"})):
        records, unreadable = records_at(commit, results)
        assert {record.asked.method for record in records} == expected
        assert not unreadable
    assert records_at("HEAD~1", results)[0] == [make_record("minmax")]


def test_the_work_tree_stays_as_it_is(repository: Path) -> None:
    before = git(repository, "status", "--porcelain")
    records_at("HEAD~1", repository / "deep" / "results")
    assert git(repository, "status", "--porcelain") == before


def test_the_folder_may_be_gone_by_now(repository: Path) -> None:
    git(repository, "rm", "-r", "-q", "--force", "deep")
    git(repository, "commit", "-m", "gone")
    assert len(records_at("HEAD~1", repository / "deep" / "results")[0]) == 2


def test_a_damaged_record_is_named_and_the_others_are_read(repository: Path) -> None:
    results = repository / "deep" / "results"
    (path,) = results.glob("records/*/omse*.json")
    path.write_text("{")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "damage")
    records, unreadable = records_at("HEAD", results)
    assert {record.asked.method for record in records} == {"minmax", "igqvit"}
    assert [f"HEAD:deep/results/records/imagenet/{path.name}" in error.message for error in unreadable] == [True]


@pytest.mark.parametrize(("commit", "message", "remedy"), [
    ("HEAT", "'HEAT' is no results folder, no parquet file and no commit", "git log"),
    ("HEAD~2", "commit HEAD~2 has no deep/results/records", "--results"), ("--all", "'--all' is no results folder", ""),
    ("HEAD:README", "no commit", "")])
def test_what_is_not_there(repository: Path, commit: str, message: str, remedy: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        records_at(commit, repository / "deep" / "results")
    assert remedy in caught.value.remedy


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(DataError, match="no parquet file, and git finds no repository") as caught:
        records_at("HEAD", tmp_path / "results")
    assert "Give a results folder" in caught.value.remedy


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(DataError, match="no git"):
        records_at("HEAD", repository / "deep" / "results")
