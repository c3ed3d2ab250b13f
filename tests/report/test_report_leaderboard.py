"""A task's table as people read it: its lines, columns and groups, and what papers print beside."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import make_record, make_reference
from made_tables import made_records, made_rows, made_table, published_row

from harness import HarnessError
from harness.report.columns import COLUMNS, DEFAULT, chosen
from harness.report.grid import Grid
from harness.report.leaderboard import View, document, grid
from harness.results.tables.table import Section, build


def section(**arguments: Any) -> Section:
    (found,) = made_table(**arguments).sections
    return found


def texts(made: Grid) -> list[list[str]]:
    return [line for group in made.texts() for line in group]


def column(made: Grid, name: str) -> list[str]:
    place = [each.name for each in made.columns].index(name)
    return [line[place] for line in texts(made)]


def test_the_default_lines_and_columns() -> None:
    made = grid(section())
    assert [each.title for each in made.columns] == [
        "W/A", "method", "rank", "top1", "±", "n", "drop", "difference", "published", "BOPs (G)", "size (MB)",
        "time (s)", "memory (MiB)"]
    assert texts(made) == [
        ["32/32", "full precision", "", "95.00", "", "", "", "", "", "6.400", "64.00", "", ""],
        ["4/4", "igqvit", "1.", "75.50", "0.71", "2", "19.50", "compared to this", "55.29 [1]", "0.800", "8.00", "3",
         "512"],
        ["4/4", "minmax", "2.", "63.00", "0.71", "2", "32.00", "-12.50 [-15.67, -9.33]", "", "0.800", "8.00", "", ""],
        ["4/4", "omse [failed]", *[""] * 11],
        ["8/8", "igqvit [1 of 2 seeds failed]", "1.", "85.00", "", "", "10.00", "compared to this", "", "1.600",
         "16.00", "", ""]]
    assert [len(group) for group in made.groups] == [1, 3, 1]


def test_a_probe_keeps_its_figures_and_has_no_rank() -> None:
    given = {"only": ["q"]}
    records = [make_reference([1] * 10), make_record("a", right=[1] * 5 + [0] * 5, timings={"train": 2.0}),
               make_record("a", right=[1] * 9 + [0], timings={"train": 3.0}, options=given, configuration=given)]
    (found,) = build(records, (), "imagenet").sections
    made = grid(found)
    assert [column(made, name) for name in ("rank", "drop", "difference", "time")] == [
        ["", "1.", ""], ["", "50.00", "10.00"], ["", "compared to this", ""], ["", "2", "3"]]


def test_sources_stand_below_where_their_numbers_stand_above() -> None:
    made = made_table()
    for columns, there in (((), True), (("metric", "published"), True), (("metric", "drop"), False)):
        (part,) = document(made, View(columns=columns)).parts
        assert any(note.startswith("Published [1]") for note in part.notes) == there


def test_grouped_by_method() -> None:
    made = grid(section(), View(group_by="method"))
    assert [[line[:2] for line in group] for group in made.texts()] == [
        [["32/32", "full precision"]], [["4/4", "igqvit"], ["8/8", "igqvit [1 of 2 seeds failed]"]],
        [["4/4", "minmax"]], [["4/4", "omse [failed]"]]]


def test_bits_are_ordered_as_numbers_and_ablations_stay_with_their_method() -> None:
    records = [make_record("b", "16/16"), make_record("b", "4/4"), make_record("b", "8/8"), make_record("a", "8/8"),
               make_record("b", "4/4", options={"g": 1}, configuration={"g": 1})]
    (found,) = build(records, (), "imagenet").sections
    assert [line[:2] for line in texts(grid(found))] == [
        ["4/4", "b"], ["4/4", "b (g=1)"], ["8/8", "a"], ["8/8", "b"], ["16/16", "b"]]
    assert [line[:2] for line in texts(grid(found, View(group_by="method")))] == [
        ["8/8", "a"], ["4/4", "b"], ["8/8", "b"], ["16/16", "b"], ["4/4", "b (g=1)"]]


def test_columns_are_those_asked_for_in_that_order_also_empty_ones() -> None:
    made = grid(section(), View(columns=("size", "metric", "published", "speed")))
    assert [each.name for each in made.columns] == ["bits", "method", "size", "metric", "published", "speed"]
    assert column(made, "speed") == ["", "100.0", "", "", ""]
    empty = grid(section(), View(columns=("beside", "metric")))
    assert [each.name for each in empty.columns] == ["bits", "method", "metric"]


def test_an_unknown_column_is_said_with_the_nearest() -> None:
    with pytest.raises(HarnessError, match="unknown column 'diference'") as caught:
        document(made_table(), View(columns=("metric", "diference")))
    assert "Did you mean 'difference'?" in caught.value.remedy


def test_every_default_column_exists() -> None:
    assert len(chosen(DEFAULT)) == len(DEFAULT)
    assert set(COLUMNS) - set(DEFAULT) == {"gap", "speed"}


def test_simulated_speed_says_that_it_is() -> None:
    said = document(made_table(), View(columns=("speed",)))
    assert said.parts[0].grid.columns[-1].title == "simulated speed (samples/s)"
    assert "No record has a speed measured on such hardware" in said.explanation
    assert "imulated" not in document(made_table()).explanation


def test_the_gap_of_a_line_is_half_its_interval() -> None:
    values = column(grid(section(), View(columns=("difference", "gap"))), "gap")
    assert values == ["", "", "3.17", "", ""]


def test_ties_share_a_rank_sign() -> None:
    right = [[1] * count + [0] * (400 - count) for count in (360, 359, 320)]
    records = [make_record(name, right=each) for name, each in zip("abc", right, strict=True)]
    (found,) = build(records, (), "imagenet").sections
    assert column(grid(found), "rank") == ["1=", "1=", "3."]


def test_what_is_not_paired_says_so() -> None:
    records = [make_record(name, metrics={"AP": value}, main_metric="AP", per_sample=None)
               for name, value in (("a", 40.0), ("b", 39.0))]
    (found,) = build(records, (), "imagenet").sections
    assert column(grid(found), "difference") == ["compared to this", "not paired"]


def test_metrics_beside_have_a_column_each() -> None:
    records = [make_record("a", metrics={"box_ap": 40.0, "mask_ap": 30.5}, main_metric="box_ap", per_sample=None,
                           metrics_beside=("mask_ap",))]
    (found,) = build(records, (), "imagenet").sections
    assert [each.name for each in grid(found).columns][2:5] == ["rank", "metric", "mask_ap"]
    assert column(grid(found), "mask_ap") == ["30.50"]


def test_a_flagged_reference_is_marked() -> None:
    (found,) = build([make_record(), make_reference(published=103.0, gate="flagged")], (), "imagenet").sections
    assert column(grid(found), "method")[0] == "full precision [FLAGGED]"


def test_published_figures_have_their_own_column_and_place() -> None:
    (part,) = document(made_table()).parts
    assert "Published [1]: Moon 2024, Table 2." in part.notes
    (apart,) = part.aside
    assert apart.caption.startswith("Published, not measured here")
    assert [each.heading for each in apart.columns] == [
        "method", "bits", "data", "top1", "further figures", "where", "note"]
    assert texts(apart) == [
        ["igqvit", "4/4", "ImageNet", "55.29", "bops_G 1.5", "Moon 2024, Table 2", ""],
        ["ptq4vit", "4/4", "ImageNet", "?", "bops_G 2", "Moon 2024, Table 2", "top1: damaged: illegible | torn"]]


def test_a_line_whose_figures_all_stand_beside_is_not_listed_again() -> None:
    (part,) = document(build(made_records(), [published_row()], "imagenet")).parts
    assert part.aside == ()
    assert "55.29 [1]" in column(part.grid, "published")


def test_several_papers_on_one_cell() -> None:
    """Each value with the numbers of its sources; of more than two values the range."""
    def published(*values: float) -> str:
        rows = [published_row(value=value, table=f"Table {number}") for number, value in enumerate(values)]
        (part,) = document(build(made_records(), rows, "imagenet")).parts
        assert sum(note.startswith("Published [") for note in part.notes) == len(values)
        return column(part.grid, "published")[1]
    assert published(1.0, 2.0, 1.0) == "1 [1,3], 2 [2]"
    assert published(72.2, 73.75, 72.21, 72.2) == "72.2 to 73.75 [1-4]"


def test_without_published_figures() -> None:
    (part,) = document(made_table(), View(published=False)).parts
    assert part.aside == ()
    assert "published" not in [each.name for each in part.grid.columns]
    assert not any(note.startswith("Published") for note in part.notes)
    named = document(made_table(), View(columns=("metric", "published"), published=False)).parts[0].grid
    assert [each.name for each in named.columns] == ["bits", "method", "metric"]


def test_the_order_of_figures_does_not_count() -> None:
    rows = made_rows()
    assert document(build(made_records(), rows[::-1], "imagenet")) == document(build(made_records(), rows, "imagenet"))
