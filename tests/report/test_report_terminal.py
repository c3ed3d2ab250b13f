"""A table on a terminal: never wider than it where texts can be folded, and honest about what has no room."""

from __future__ import annotations

import io

import pytest
from made_records import make_record
from made_tables import made_table
from rich.console import Console

from harness.report.grid import Column, Grid
from harness.report.tables import document
from harness.report.terminal import grid_lines, lines, show
from harness.results.tables.table import build


@pytest.mark.parametrize("width", [70, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    records = [make_record("igqvit", options={"search": {"name": "minmax", "options": {"bins": bins}}},
                           configuration={"bins": bins}, timings={"calibrate": 3.0}, peak_memory=2**30)
               for bins in (10, 20)]
    made = document(made_table(*records))
    assert max(len(text) for text, _ in lines(made, width)) <= width


def test_columns_of_numbers_are_aligned_right_and_groups_apart() -> None:
    columns = Column("a", "name"), Column("b", "top", "number", "%", 1)
    grid = Grid(columns, ((("x", 1.0), ("yy", 10.0)), (("z", None),)))
    assert [text for text, _ in grid_lines(grid, 80)] == [
        "name   top", "       (%)", "x      1.0", "yy    10.0", "", "z"]


def test_a_long_text_is_folded_before_a_column_is_left_out() -> None:
    columns = Column("a", "name"), *(Column(name, name, "number") for name in "bcd")
    grid = Grid(columns, ((("a long name of several words", "1234567890", "1234567890", "1234567890"),),))
    assert [text for text, _ in grid_lines(grid, 52)] == [
        "name                       b           c           d", "a long name of    1234567890  1234567890  1234567890",
        "several words"]
    narrow = [text for text, _ in grid_lines(grid, 45)]
    assert narrow[-1].startswith("(no room for: d; ") or narrow[-2].startswith("(no room for: d; ")
    whole = [text for text, _ in grid_lines(grid, 45, whole=True)]
    assert whole[0].split() == ["name", "b", "c", "d"]


def test_what_is_printed() -> None:
    console = Console(file=io.StringIO(), width=140)
    show(console, document(made_table()))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "4/4    minmax" in printed
    assert "omse [failed]" in " ".join(printed.split()), "brackets are not taken for markup"
    quiet = Console(file=io.StringIO(), quiet=True)
    show(quiet, document(build([], (), "imagenet")))
    assert quiet.file.getvalue() == ""  # type: ignore[attr-defined]
