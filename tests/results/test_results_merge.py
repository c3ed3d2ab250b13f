"""Joining results folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_records import make_record

from harness.results.storage.merge import merge
from harness.results.storage.store import Store


@pytest.fixture(name="stores")
def _stores(tmp_path: Path) -> tuple[Store, Store]:
    return Store(tmp_path / "other"), Store(tmp_path / "mine")


def test_what_is_missing_is_added(stores: tuple[Store, Store]) -> None:
    other, mine = stores
    records = [make_record(seed=seed) for seed in range(3)]
    for record in records:
        other.put(record)
    mine.put(records[0])
    done = merge(other, mine)
    assert (len(done.added), len(done.known), done.left_out) == (2, 1, [])
    assert sorted(mine.records()[0], key=str) == sorted(records, key=str)
    assert len(merge(other, mine).known) == 3


def test_a_result_takes_the_place_of_a_failure_only(stores: tuple[Store, Store]) -> None:
    other, mine = stores
    other.put(make_record(seed=0))
    mine.put(make_record(seed=0, failed="disk full"))
    other.put(make_record(seed=1, failed="disk full"))
    mine.put(make_record(seed=1))
    done = merge(other, mine)
    assert (len(done.added), len(done.known), done.left_out) == (1, 1, [])
    assert [record.status for record in mine.records()[0]] == ["ok", "ok"]


def test_another_time_is_no_conflict(stores: tuple[Store, Store]) -> None:
    other, mine = stores
    other.put(make_record(timings={"evaluate": 1.0}, peak_memory=3))
    mine.put(make_record(timings={"evaluate": 2.0}))
    assert len(merge(other, mine).known) == 1


def test_conflicts_and_damage_are_named_and_the_rest_is_added(stores: tuple[Store, Store]) -> None:
    other, mine = stores
    theirs, ours = other.put(make_record(right=[1, 0])), mine.put(make_record(right=[1, 1]))
    damaged = other.put(make_record(seed=1))
    damaged.write_text("{")
    other.put(make_record(seed=2))
    before = ours.read_text()
    done = merge(other, mine)
    assert {item.path for item in done.left_out} == {theirs, damaged}
    (conflict,) = (item for item in done.left_out if item.path == theirs)
    assert str(theirs) in conflict.reason
    assert str(ours) in conflict.reason
    assert conflict.remedy
    assert ours.read_text() == before
    assert len(done.added) == 1
