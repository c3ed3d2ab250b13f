"""The user's cache folder, and what is remembered in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import cache_folder, digest, file_hash


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_digest_is_of_a_set_of_lines() -> None:
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["ab"])


def test_each_family_has_a_folder_of_its_own(cache: Path) -> None:
    folder = cache_folder("classification/pixels")
    assert folder == cache / "quantization-harness" / "classification" / "pixels"
    assert folder.is_dir()
    assert cache_folder("detection/pixels") != folder


def test_no_folder_where_none_can_be_made(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert cache_folder("detection/scenes") is None


def test_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    first = file_hash(path)
    assert first == file_hash(path) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    path.write_bytes(b"other")
    assert file_hash(path) != first


@pytest.mark.parametrize("damage", [b"", b"\xff\xff", b"no hash"])
def test_hash_is_remembered_until_the_file_changes(tmp_path: Path, cache: Path, damage: bytes) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    os.utime(path, ns=(5, 5))
    first = file_hash(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(5, 5))
    assert file_hash(path) == first, "the same path, size and time of change: not read again"
    os.utime(path, ns=(5, 6))
    two = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    assert file_hash(path) == two, "another time of change"
    for remembered in (cache / "quantization-harness" / "hashes").iterdir():
        remembered.write_bytes(damage)
    assert file_hash(path) == two, "a damaged memory"


def test_hash_without_a_cache(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    (tmp_path / "w").write_bytes(b"one")
    assert file_hash(tmp_path / "w") == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
