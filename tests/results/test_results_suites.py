"""Suites: tasks side by side, averages over complete rows, nothing mixed that does not compare."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

from made_records import make_record, make_reference

from harness import SuiteSpec
from harness.report.tables import FORMATS
from harness.results.published import PublishedRow
from harness.results.record import Record
from harness.results.tables.suites import SuiteTable, suite_table

SUITE = SuiteSpec(name="both", summary="", columns=("a.top1", "a.other", "b.top1"),
                  averages={"average of 2": ("a.top1", "b.top1"), "average of 3": ("a.top1", "a.other", "b.top1")})


def record(task: str, top1: float, *, other: float | None = None, **fields: Any) -> Record:
    made = make_reference if fields.pop("reference", False) else make_record
    metrics = {"top1": top1} | ({} if other is None else {"other": other})
    return made(task=task, fingerprint=f"data of {task}", **fields).model_copy(update={"metrics": metrics})


def table(*records: Record, published: tuple[PublishedRow, ...] = ()) -> SuiteTable:
    return suite_table(SUITE, records, published, {"minmax": {"coarse": {"group": 2}}})


def test_columns_and_averages() -> None:
    made = table(record("a", 80, other=60, reference=True), record("b", 90, reference=True),
                 record("a", 50, other=20), record("b", 80), record("elsewhere", 1))
    (section,) = made.sections
    full, row = section.rows
    assert (full.label, full.averages) == ("full precision", {"average of 2": 85, "average of 3": 230 / 3})
    assert {column: cell.value for column, cell in row.cells.items()} == {"a.top1": 50, "a.other": 20, "b.top1": 80}
    assert row.averages == {"average of 2": 65, "average of 3": 50}
    assert made.remarks == ()


def test_an_average_needs_all_of_its_columns() -> None:
    made = table(record("a", 50), record("b", 80))
    (row,) = made.sections[0].rows
    assert row.averages == {"average of 2": 65}
    assert made.remarks == ("A row has an average only where it has all of the average's columns.",)


def test_seeds_are_averaged_with_their_deviation() -> None:
    (row,) = table(record("a", 50, seed=0), record("a", 54, seed=1)).sections[0].rows
    cell = row.cells["a.top1"]
    assert (cell.value, cell.seeds) == (52, 2)
    assert abs(cell.sd - 8**0.5) < 1e-12  # type: ignore[operator]


def test_models_scales_and_calibrations_are_kept_apart() -> None:
    made = table(record("a", 1), record("a", 2, model="swin_mini"), record("a", 3, calibration_size=64),
                 record("a", 4, scale="full"))
    assert [section.heading for section in made.sections] == [
        "FULL scale: vit_mini, 32 calibration samples", "MINI scale: swin_mini, 32 calibration samples",
        "MINI scale: vit_mini, 32 calibration samples", "MINI scale: vit_mini, 64 calibration samples"]


def test_a_task_on_two_checkpoints_is_left_out_and_named() -> None:
    made = table(record("a", 1), record("a", 2, weights_hash="w1"), record("b", 3))
    assert [list(row.cells) for row in made.sections[0].rows] == [["b.top1"]]
    assert made.remarks[0] == ("MINI scale: vit_mini, 32 calibration samples: a has records on several data sets or "
                               "weights; see harness table --task a")


def test_rows_are_ordered_by_bits_then_average_and_named_by_their_ablation() -> None:
    records = [made for task in "ab" for made in (
        record(task, 10, bits="8/8"), record(task, 20, bits="1/1/1"), record(task, 30, bits="1/1/1", method="omse"),
        record(task, 5, bits="8/8", options={"group": 2}, configuration={"group": 2}))]
    assert [(row.bits, row.label) for row in table(*records).sections[0].rows] == [
        ("1/1/1", "omse"), ("1/1/1", "minmax"), ("8/8", "minmax"), ("8/8", "minmax:coarse")]


def test_options_that_follow_the_task_stay_one_row() -> None:
    made = table(record("a", 1, configuration={"clip": 0.1}), record("b", 2, configuration={"clip": 0.2}))
    assert [(row.label, len(row.cells)) for row in made.sections[0].rows] == [("minmax", 2)]


def test_failed_runs_leave_a_gap() -> None:
    made = table(record("a", 1), make_record(task="b", failed="broke"))
    assert list(made.sections[0].rows[0].cells) == ["a.top1"]


def test_no_records() -> None:
    assert table().remarks == ("No records of both. Make some: harness run --methods minmax --task both",)


def test_formats() -> None:
    row = PublishedRow(task="a", model="vit_mini", dataset="GLUE", method="bit", bits="1/1", metric="top1", value=70.0,
                       source="paper", table="Table 3")
    made = table(record("a", 50), record("b", 80), published=(row, replace(row, task="b", value=71.0),
                                                                    replace(row, task="elsewhere")))
    markdown = FORMATS["md"](made)
    assert "| 4/4 | minmax | 50.00 |  | 80.00 | 65.00 |  |" in markdown
    assert "| 1/1 | bit | 70 | 71 | paper, Table 3 |  |" in markdown
    assert markdown.count("| bit |") == 1
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](made))))
    assert [(line["column"], float(line["value"])) for line in lines] == [
        ("a.top1", 50), ("b.top1", 80), ("average of 2", 65)]
    assert json.loads(FORMATS["json"](made))["sections"][0]["rows"][0]["averages"] == {"average of 2": 65}
