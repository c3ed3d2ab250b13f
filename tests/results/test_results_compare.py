"""Comparing two sets of records: nothing is missed, matched wrongly, or called worse that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_records import make_record, make_reference

from harness import DataError
from harness.results.compare import Change, Changes, compare
from harness.results.exported import exported_environment, read_exported
from harness.results.frames import Frames
from harness.results.record import Costs, Environment, Record
from harness.results.storage.store import Store
from harness.results.tables.ranking import difference

RIGHT = [1] * 300 + [0] * 100
WORSE = [1] * 290 + [0] * 110


def only(changes: tuple[Change, ...]) -> Change:
    (change,) = changes
    return change


def counts(changes: Changes) -> tuple[int, int, int, int, int]:
    return (changes.same, len(changes.changed), len(changes.moved), len(changes.only_before), len(changes.only_after))


def test_the_same_records() -> None:
    records = [make_reference(), make_record(), make_record("igqvit", failed="broke")]
    assert counts(compare(records, records[::-1])) == (3, 0, 0, 0, 0)


def test_what_only_one_has() -> None:
    shared = make_record("minmax")
    changes = compare([shared, make_record("omse")], [shared, make_record("igqvit"), make_record("igqvit", "8/8")])
    assert counts(changes) == (1, 0, 0, 1, 2)
    assert [record.asked.bits for record in changes.only_after] == ["4/4", "8/8"]


def test_times_and_places_are_no_change() -> None:
    other = make_record(timings={"calibrate": 9.0}, peak_memory=5,
                        environment=Environment(harness="9", python="3.12"))
    assert counts(compare([make_record()], [other])) == (1, 0, 0, 0, 0)


def test_other_numbers_of_the_same_run() -> None:
    cheaper = Costs(macs=1000, bops={"plain": 4e8}, parameters=10, sizes={"plain": 8e6})
    before, after = make_record(right=RIGHT), make_record(right=WORSE, costs=cheaper)
    change = only(compare([before], [after]).changed)
    assert change.fields == ()
    assert change.value == pytest.approx(-2.5)
    assert change.difference == difference([after], [before])
    assert change.cost("bops", "plain") == pytest.approx(-0.5)
    assert change.cost("sizes", "plain") == 0.0
    assert change.cost("sizes", "nothing") is None


@pytest.mark.parametrize(("environment", "kind"), [
    ({"commit": "b"}, "code"), ({"packages": {"torch": "2.5.0"}}, "dependencies"), ({"cpu": "other"}, "hardware")])
def test_what_differs_in_the_environment(environment: dict[str, Any], kind: str) -> None:
    same = {"harness": "1", "python": "3.11", "commit": "a", "packages": {"torch": "2.4.0"}, "cpu": "one"}
    before = make_record(right=RIGHT, environment=Environment(**same))
    after = make_record(right=WORSE, environment=Environment(**{**same, **environment}))
    found = only(compare([before], [after]).changed).environment
    assert [name for name in ("code", "dependencies", "hardware") if getattr(found, name)] == [kind]


def test_a_run_that_moved_is_matched_and_what_differs_is_named() -> None:
    before = make_record(right=RIGHT, configuration={"clip": 0.1, "search": {"bins": 10}})
    after = make_record(right=WORSE, configuration={"clip": 0.2, "search": {"bins": 10}}, fingerprint="d1" * 32,
                        evaluation_limit=100)
    changes = compare([before], [after])
    assert counts(changes) == (0, 0, 1, 0, 0)
    change = only(changes.moved)
    assert change.fields == ("fingerprint: d0 -> d1d1d1d1d1d1", "evaluation_limit: all -> 100", "clip: 0.1 -> 0.2")
    assert change.difference is None, "other data are not paired"
    assert not change.same_data


def test_moved_options_on_the_same_data_are_paired() -> None:
    before, after = make_record(right=RIGHT), make_record(right=WORSE, configuration={"clip": 1})
    change = only(compare([before], [after]).moved)
    assert change.fields == ("clip: none -> 1",)
    assert change.difference is not None
    assert change.difference.samples == 400


@pytest.mark.parametrize("field", ["task", "scale", "model", "method", "bits", "seed"])
def test_other_runs_are_not_matched(field: str) -> None:
    other = {"task": "coco", "scale": "full", "model": "swin", "method": "omse", "bits": "8/8", "seed": 1}[field]
    assert counts(compare([make_record()], [make_record(**{field: other})])) == (0, 0, 0, 1, 1)  # type: ignore[arg-type]


def test_of_several_the_nearest_are_matched() -> None:
    """One option apart before two, each record once, whatever the order."""
    before = [make_record(configuration={"a": 1, "b": 1}), make_record(configuration={"a": 5, "b": 5})]
    after = [make_record(configuration={"a": 1, "b": 2}), make_record(configuration={"a": 5, "b": 7, "c": 1}),
             make_record(configuration={"a": 9, "b": 9, "c": 9})]
    for one, other in ((before, after), (before[::-1], after[::-1])):
        changes = compare(one, other)
        assert {change.before.asked.configuration["a"]: change.after.asked.configuration["b"]
                for change in changes.moved} == {1: 2, 5: 7}
        assert [record.asked.configuration["a"] for record in changes.only_after] == [9]


@pytest.mark.parametrize("number", range(8))
def test_the_nearest_is_matched_whatever_the_identities(number: int) -> None:
    before = make_record(configuration={"a": number, "b": 1, "c": 1})
    far, near = (make_record(configuration={"a": number, "b": value, "c": other}) for value, other in ((2, 2), (2, 1)))
    changes = compare([before], [far, near])
    assert only(changes.moved).after == near
    assert changes.only_after == (far,)


def test_the_largest_changes_come_first_and_failures_before_them() -> None:
    def runs(*rights: list[int]) -> list[Record]:
        return [make_record(seed=seed, right=right) for seed, right in enumerate(rights)]
    before = [*runs(RIGHT, RIGHT, RIGHT), make_record("igqvit", right=RIGHT)]
    after = [*runs([1] * 299 + [0] * 101, [1] * 320 + [0] * 80, WORSE), make_record("igqvit", failed="broke")]
    changes = compare(before, after).changed
    assert [(change.after.asked.method, change.value) for change in changes] == [
        ("igqvit", None), ("minmax", 5.0), ("minmax", -2.5), ("minmax", pytest.approx(-0.25))]


@pytest.mark.parametrize(("before", "after", "gap", "worse"), [
    ({"right": RIGHT}, {"right": WORSE}, 2.4, True), ({"right": RIGHT}, {"right": WORSE}, 2.5, False),
    ({"right": WORSE}, {"right": RIGHT}, 0.0, False), ({"right": RIGHT}, {"failed": "broke"}, 50.0, True),
    ({"failed": "broke"}, {"right": WORSE}, 0.0, False),
    ({"right": RIGHT}, {"right": WORSE, "configuration": {"clip": 1}}, 1.0, True),
    ({"right": RIGHT}, {"right": WORSE, "fingerprint": "other"}, 1.0, False)])
def test_worse(before: dict[str, Any], after: dict[str, Any], gap: float, worse: bool) -> None:
    assert bool(compare([make_record(**before)], [make_record(**after)]).worse(gap)) is worse


def exported(folder: Path, *records: Record) -> Path:
    store = Store(folder)
    for record in records:
        store.put(record)
    Frames(store.entries()[0], {}).records.to_parquet(folder / "records.parquet")
    return folder / "records.parquet"


def test_exports_compare_with_exports_and_with_records(tmp_path: Path) -> None:
    records = [make_reference(), make_record(right=RIGHT), make_record("omse", failed="broke", evaluation_limit=None)]
    lines = read_exported(exported(tmp_path / "a", *records))
    assert counts(compare(lines, lines)) == (3, 0, 0, 0, 0)
    assert counts(compare(lines, records)) == counts(compare(records, lines)) == (3, 0, 0, 0, 0)
    change = only(compare(lines, [records[0], make_record(right=WORSE), records[2]]).changed)
    assert (change.value, change.difference) == (-2.5, None)
    assert change.cost("bops", "plain") == 0.0
    assert not change.environment.dependencies, "an export does not know all of them"
    moved = only(compare(lines, [make_record(right=RIGHT, configuration={"clip": 1})]).moved)
    assert moved.fields[0].startswith("options: ")


def test_an_export_keeps_of_an_environment_what_it_can(tmp_path: Path) -> None:
    environment = Environment(harness="1", commit="c", python="3.11", packages={"torch": "2.4", "numpy": "2"},
                              platform="linux", cpu="some", isa=("AVX2",), threads=3, device="cpu", command=("a",))
    (line,) = read_exported(exported(tmp_path, make_record(environment=environment)))
    assert line.environment == exported_environment(environment)


def test_a_file_that_is_no_export(tmp_path: Path) -> None:
    import pandas as pd

    (tmp_path / "text").write_text("no parquet")
    pd.DataFrame({"identity": ["a"]}).to_parquet(tmp_path / "other.parquet")
    for name in ("text", "other.parquet"):
        with pytest.raises(DataError, match=name) as caught:
            read_exported(tmp_path / name)
        assert "harness export" in caught.value.remedy
