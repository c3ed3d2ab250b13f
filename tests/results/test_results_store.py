"""The store: write-once, damaged files, foreign files, reading while others write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import StoreError
from harness.results.checksum import sealed
from harness.results.record import DamagedRecordError, Record
from harness.results.storage.store import Store, Unreadable

Make = Callable[..., Record]


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_put_and_get(store: Store, make_record: Make) -> None:
    record = make_record("igqvit", "4/8", seed=3)
    assert store.get(record.identity) is None
    path = store.put(record)
    assert path == store.folder / "records" / "imagenet" / f"igqvit-vit_mini-4-8-s3-{record.identity}.json"
    assert store.get(record.identity) == record
    assert path.read_text(encoding="utf-8") == sealed(record.to_json())


def test_an_empty_folder_has_no_records(store: Store) -> None:
    assert store.records() == ([], [])
    assert not store.folder.exists(), "reading makes no folders"


def test_a_good_record_is_written_once(store: Store, make_record: Make) -> None:
    first, second = make_record(right=[1, 1]), make_record(right=[0, 1])
    path = store.put(first)
    with pytest.raises(StoreError, match="already recorded in"):
        store.put(second)
    with pytest.raises(StoreError, match="already recorded in"):
        store.put(make_record(failed="later"))
    assert store.get(first.identity) == first
    assert store.put(second, force=True) == path
    assert store.get(first.identity) == second


def test_a_failure_gives_way(store: Store, make_record: Make) -> None:
    failed, again, done = make_record(failed="first"), make_record(failed="second"), make_record()
    for record in (failed, again, done):
        store.put(record)
        assert store.get(record.identity) == record
    assert len(store.files()) == 1


def test_names_are_safe(store: Store, make_record: Make) -> None:
    record = make_record("m", task="../up", model="hub:a/b c" + "x" * 300)
    path = store.put(record)
    assert path.is_relative_to(store.folder / "records")
    assert len(path.name) < 200
    assert store.get(record.identity) == record


def test_damaged_files_are_reported_and_stop_nobody(store: Store, make_record: Make) -> None:
    good, cut, gone = make_record(seed=0), make_record(seed=1), make_record(seed=2)
    for record in (good, cut, gone):
        store.put(record)
    cut_path, gone_path = store.path_of(cut), store.path_of(gone)
    cut_path.write_text(cut.to_json()[:50])
    gone_path.write_bytes(b"")
    renamed = store.path_of(good).with_name(f"renamed-{'0' * 12}.json")
    renamed.write_text(good.to_json())
    records, unreadable = store.records()
    assert records == [good]
    assert {item.path for item in unreadable} == {cut_path, gone_path, renamed}
    assert all(str(item.path) in item.reason for item in unreadable)
    with pytest.raises(DamagedRecordError, match=str(cut_path)):
        store.get(cut.identity)


def test_a_damaged_file_is_kept_beside_the_new_record(store: Store, make_record: Make) -> None:
    record = make_record()
    path = store.put(record)
    path.write_text("{")
    store.put(record)
    assert store.get(record.identity) == record
    assert path.with_name(path.name + ".damaged").read_text() == "{"
    assert store.records() == ([record], [])


def test_a_record_of_a_newer_harness_is_never_replaced(store: Store, make_record: Make) -> None:
    record = make_record()
    path = store.put(record)
    newer = record.to_json().replace('"schema_version": 1', '"schema_version": 2')
    path.write_text(newer)
    with pytest.raises(StoreError, match="Upgrade"):
        store.put(record, force=True)
    assert path.read_text() == newer
    assert [type(item) for item in store.scan()] == [Unreadable]


def test_what_writers_leave_is_no_record(store: Store, make_record: Make) -> None:
    record = make_record()
    folder = store.put(record).parent
    leftover = folder / f".{store.path_of(record).name}.0123456789abcdef.tmp"
    leftover.write_text("half")
    (folder / "notes.txt").write_text("mine")
    (folder / f"._{store.path_of(record).name}").write_bytes(b"what some systems put beside a copied file")
    assert store.records() == ([record], [])
    assert store.get(record.identity) == record
    hours_ago = time.time() - 7200
    os.utime(leftover, (hours_ago, hours_ago))
    store.put(make_record(seed=1))
    assert not leftover.exists()


def test_a_folder_that_cannot_be_used_is_an_error_with_a_remedy(tmp_path: Path, make_record: Make) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results"):
        Store(tmp_path / "file").put(make_record())


def test_scan_is_in_a_fixed_order(store: Store, make_record: Make) -> None:
    for seed in (2, 0, 1):
        store.put(make_record(seed=seed))
    assert [record.asked.seed for record in store.records()[0]] == [0, 1, 2]
