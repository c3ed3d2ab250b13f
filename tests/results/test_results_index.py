"""The index says what the files say, whatever happens to them and to it."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from index_worker import build, put_and_look
from made_records import make_record, make_reference

from harness import StoreError
from harness.results.record import Record
from harness.results.storage import index
from harness.results.storage.store import Store, Unreadable

MEASURED = ("identity", "numbers", "status", "is_reference", "notice", "created", "main_metric", "metrics",
            "metrics_beside", "per_sample", "options", "failure", "reference", "costs", "timings", "peak_memory",
            "environment")
ASKED = ("task", "scale", "model", "method", "bits", "seed", "fingerprint", "weights_hash", "calibration_size",
         "evaluation_limit", "budget", "configuration", "configuration_hash")

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["pytest", "harness.results.storage.store"])


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(name="read")
def _read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the record files that are read."""
    names: list[str] = []
    original = index.read_in_place

    def counted(path: Path) -> Record:
        names.append(path.name)
        return original(path)
    monkeypatch.setattr(index, "read_in_place", counted)
    monkeypatch.setattr(index, "_TICK", 0)  # the files of these tests are all new
    return names


def same_as_files(store: Store) -> None:
    """What the index says is what all files say that are read one by one."""
    records, bad = store.records()
    entries, unreadable = store.entries()
    assert [entry.path for entry in entries] == sorted(entry.path for entry in entries)
    assert {entry.identity: entry.record() for entry in entries} == {record.identity: record for record in records}
    assert len(entries) == len(records)
    assert sorted(unreadable, key=str) == sorted(bad, key=str)


def test_an_entry_is_its_record(store: Store) -> None:
    rich = make_record("igqvit", "4/8", 3, options={"g": 12, "search": {"name": "minmax"}}, timings={"train": 0.1},
                       peak_memory=2**40, metrics={"top1": 75.0, "top5": 1 / 3}, metrics_beside=("top5",),
                       notice="MINI", configuration={"clip": 0.1}, evaluation_limit=7)
    records = [rich, make_record(failed="NaN"), make_reference(published=1.5, gate="passed"),
               make_record(task="glue-rte", right=[0.25, 0.5])]
    for record in records:
        store.put(record)
    entries, unreadable = store.entries()
    assert unreadable == []
    found = {entry.identity: entry for entry in entries}
    for record in records:
        entry = found[record.identity]
        for name in MEASURED:
            assert getattr(entry, name) == getattr(record, name), name
        for name in ASKED:
            assert getattr(entry.asked, name) == getattr(record.asked, name), name
        assert entry.path == store.find(record.identity)
        assert entry.record() == record
        if record.status == "ok":
            assert entry.value == record.value
        else:
            with pytest.raises(KeyError):
                _ = entry.value


def test_looking_twice_reads_once(store: Store, read: list[str]) -> None:
    for seed in range(3):
        store.put(make_record(seed=seed))
    assert len(store.entries()[0]) == 3
    assert len(read) == 3
    assert len(Store(store.folder).entries()[0]) == 3
    assert len(read) == 3
    new = store.put(make_record(seed=3))
    assert len(store.entries()[0]) == 4
    assert read[3:] == [new.name]


def test_filters_do_not_read_the_rest(store: Store, read: list[str]) -> None:
    for task in ("imagenet", "glue-rte", "coco-detr"):
        for method in ("minmax", "omse"):
            for bits in ("4/4", "8/8"):
                store.put(make_record(method, bits, task=task, model=f"of-{task}"))
    assert len(store.entries(task="imagenet")[0]) == 4
    assert len(read) == 4, "of the folder of this task only"
    assert {entry.asked.task for entry in store.entries(task=["imagenet", "glue-rte"])[0]} == {"imagenet", "glue-rte"}
    assert len(read) == 8
    assert len(store.entries(method="omse", bits=["8/8"], task=["imagenet", "coco-detr"])[0]) == 2
    assert [entry.asked.task for entry in store.entries(model="of-coco-detr", bits="4/4")[0]] == ["coco-detr"] * 2
    assert store.entries(task="nothing") == ([], [])
    assert store.entries(task=[]) == ([], [])
    assert len(read) == 12


def test_a_damaged_file_is_said_by_every_look_at_its_task(store: Store, read: list[str]) -> None:
    good, bad = store.put(make_record(seed=0)), store.put(make_record(seed=1))
    bad.write_text("{")
    for _ in range(2):
        entries, unreadable = store.entries(task="imagenet", method="another")
        assert (entries, [item.path for item in unreadable]) == ([], [bad])
        assert [entry.path for entry in store.entries()[0]] == [good]
    assert read.count(bad.name) == 1
    assert store.entries(task="glue-rte") == ([], [])


@pytest.mark.parametrize("tick", [0, index._TICK])
def test_any_sequence_of_changes(store: Store, tick: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against reading every file: records that come, go, change, break and move."""
    monkeypatch.setattr(index, "_TICK", tick)
    chance = random.Random(tick)
    for step in range(60):
        files = store.files()
        action = chance.choice(["put", "put", "force", "remove", "cut", "rename", "folder", "index"])
        record = make_record(seed=chance.randrange(8), task=chance.choice(["a", "b"]), right=[step % 2, 1, 0, 1])
        if action in ("put", "force"):
            try:
                store.put(record, force=action == "force")
            except StoreError:
                continue
        elif action == "index":
            shutil.rmtree(store.folder / "index", ignore_errors=True)
        elif files:
            file = chance.choice(files)
            if action == "remove":
                file.unlink()
            elif action == "cut":
                os.truncate(file, file.stat().st_size // 2)
            elif action == "rename":
                file.rename(file.with_name(f"other-{file.name[-40:]}"))
            else:
                (file.parent.parent / "moved").mkdir(exist_ok=True)
                file.rename(file.parent.parent / "moved" / file.name)
        same_as_files(store)


def test_a_file_that_may_change_within_the_resolution_of_its_times_is_read_again(
        store: Store, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_TICK", 10**9)
    store.put(make_record())
    store.entries()
    store.entries()
    assert len(read) == 2
    time.sleep(1.1)
    store.entries()
    store.entries()
    assert len(read) == 3


@pytest.mark.usefixtures("read")
def test_an_edit_that_leaves_size_and_time_is_seen(store: Store) -> None:
    path = store.put(make_record(right=[1, 1, 0, 0]))
    assert store.entries()[0][0].value == 50.0
    before = path.stat()
    path.write_text(path.read_text().replace("50.0", "60.0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    entries, (item,) = store.entries()
    assert entries == []
    assert "changed after it was written" in item.reason
    same_as_files(store)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def _other_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE version SET text = '0'")
        connection.execute("UPDATE setting SET method = 'as it was in version 0'")
    connection.close()


def _no_tables(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (another TEXT)")
    connection.close()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("no database\n" * 1000)


@pytest.mark.parametrize("damage", [_cut, _scribble, _other_version, _no_tables, _empty, _text, Path.unlink])
def test_an_unusable_index_is_made_anew(store: Store, read: list[str], damage: Callable[[Path], None]) -> None:
    for seed in range(40):
        store.put(make_record(seed=seed))
    store.entries()
    damage(store.folder / "index" / "records.sqlite")
    same_as_files(store)
    assert [entry.asked.method for entry in store.entries()[0]] == ["minmax"] * 40
    assert len(read) == 80, "once at first, and once more"


def test_no_index_is_needed(store: Store) -> None:
    """A folder that cannot be written: here because a file is in the way."""
    store.put(make_record())
    (store.folder / "index").write_text("")
    same_as_files(store)
    (entry,) = store.entries(method="minmax")[0]
    assert entry.per_sample == make_record().per_sample
    assert store.entries(method="omse") == ([], [])


def test_an_empty_folder_stays_as_it_is(store: Store) -> None:
    assert store.entries() == ([], [])
    assert not store.folder.exists()
    store.records_folder.mkdir(parents=True)
    assert store.entries() == ([], [])
    assert list(store.folder.iterdir()) == [store.records_folder]


def test_what_seeds_share_is_kept_once(store: Store) -> None:
    for seed in range(3):
        store.put(make_record(seed=seed, options={"g": 12}))
    store.put(make_record(seed=3, failed="NaN", options={"g": 12}))
    entries = store.entries()[0]
    with closing(sqlite3.connect(store.folder / "index" / "records.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM setting").fetchone() == (2,)
    assert len({id(entry.options) for entry in entries}) == 1
    assert sorted((entry.asked.seed, entry.status) for entry in entries) == [(0, "ok"), (1, "ok"), (2, "ok"),
                                                                            (3, "failed")]


def test_the_index_stays_out_of_the_repository(store: Store) -> None:
    store.put(make_record())
    store.entries()
    assert (store.folder / "index" / ".gitignore").read_text() == "*\n"


def test_a_file_of_which_the_system_says_no_is_tried_again(store: Store) -> None:
    path = store.put(make_record())
    kept = path.with_name("kept")
    path.rename(kept)
    path.mkdir()
    (item,) = store.entries()[1]
    assert str(path) in item.reason
    path.rmdir()
    kept.rename(path)
    same_as_files(store)


def test_names_that_are_no_text(store: Store) -> None:
    path = store.put(make_record())
    os.rename(path, os.fsencode(path.parent) + b"/\xff-" + os.fsencode(path.name))
    same_as_files(store)
    assert store.entries()[0][0].path == store.files()[0]


def test_parts_of_an_entry_whose_record_was_replaced(store: Store) -> None:
    store.put(make_record())
    (entry,) = store.entries()[0]
    store.put(make_record(right=[0, 0, 0, 1]), force=True)
    store.entries()
    assert entry.value == 75.0
    assert entry.costs is not None
    with pytest.raises(StoreError, match=r"replaced while it was looked at\n.*again"):
        _ = entry.per_sample


def test_two_records_of_one_run(store: Store) -> None:
    path = store.put(make_record(right=[1, 1, 1, 1]))
    copy = path.with_name(f"copy-{path.name}")
    shutil.copy(path, copy)
    store.put(make_record(seed=1))
    same_as_files(store)
    assert len(store.entries()[0]) == 2, "the same twice is once"
    copy.write_text(make_record(right=[0, 1, 1, 1]).to_json())
    same_as_files(store)
    entries, (item,) = store.entries()
    assert [entry.asked.seed for entry in entries] == [1]
    assert isinstance(item, Unreadable)
    assert str(path) in item.reason
    assert str(copy) in item.reason
    assert item.remedy


def test_a_failure_beside_a_result_gives_way(store: Store) -> None:
    path = store.put(make_record(failed="too little memory"))
    path.rename(path.with_name(f"first-{path.name}"))
    path.write_text(make_record().to_json())
    assert [entry.status for entry in store.entries()[0]] == ["ok"]
    same_as_files(store)


def test_of_two_failures_one_is_shown(store: Store) -> None:
    path = store.put(make_record(failed="too little memory"))
    later = make_record(failed="another reason", created="2026-01-02T03:04:05+00:00")
    path.with_name(f"later-{path.name}").write_text(later.to_json())
    same_as_files(store)
    (entry,) = store.entries()[0]
    assert entry.failure is not None
    assert entry.failure.reason == "too little memory"


def test_killed_while_it_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(30):
        store.put(make_record(seed=seed))
    for kill_at in (1, 11, 23):
        shutil.rmtree(tmp_path / "index", ignore_errors=True)
        process = processes.Process(target=build, args=(tmp_path, kill_at), daemon=True)
        process.start()
        process.join(60)
        assert process.exitcode == -9
        assert (tmp_path / "index" / "records.sqlite").exists()
        same_as_files(Store(tmp_path))


def test_a_killed_process_leaves_what_it_committed(tmp_path: Path, read: list[str]) -> None:
    for seed in range(30):
        Store(tmp_path).put(make_record(seed=seed))
    process = processes.Process(target=build, args=(tmp_path, 23), daemon=True)
    process.start()
    process.join(60)
    assert len(Store(tmp_path).entries()[0]) == 30
    assert len(read) == 10, "20 were there, in batches of 10"


def test_several_processes(tmp_path: Path) -> None:
    """They write records, and look at the index, all at once."""
    workers = [processes.Process(target=put_and_look, args=(tmp_path, method, 8), daemon=True)
               for method in ("a", "b", "c")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(Store(tmp_path).entries()[0]) == 24
    same_as_files(Store(tmp_path))


def test_what_another_process_indexed_meanwhile_is_not_taken_for_gone(
        store: Store, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(make_record(seed=0))
    locked = index.Index._locked

    def waited(self: index.Index) -> AbstractContextManager[None]:
        monkeypatch.setattr(index.Index, "_locked", locked)
        store.put(make_record(seed=1))
        assert len(Store(store.folder).entries()[0]) == 2
        return locked(self)
    monkeypatch.setattr(index.Index, "_locked", waited)
    assert len(store.entries()[0]) == 2
    assert len(store.entries()[0]) == 2
    assert len(read) == 2


def test_a_look_at_a_fresh_index_is_fast(store: Store) -> None:
    for seed in range(100):
        store.put(make_record(seed=seed))
    time.sleep(0.1)
    store.entries()
    start = time.process_time()
    entries, _ = Store(store.folder).entries()
    assert len(entries) == 100
    assert time.process_time() - start < 0.05, "about 2 ms are measured"
