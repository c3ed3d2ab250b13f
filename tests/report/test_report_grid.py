"""The neutral grid: what a value is as text, and which columns say something."""

from __future__ import annotations

import pytest

from harness.report.grid import Column, Grid, fixed, signed, without_empty


@pytest.mark.parametrize(("value", "digits", "plain", "with_sign"), [
    (1.005, 2, "1.00", "+1.00"), (-1.25, 1, "-1.2", "-1.2"), (-0.004, 2, "0.00", "0.00"), (0.0, 2, "0.00", "0.00"),
    (-0.4, 0, "0", "0"), (1234.5, 0, "1234", "+1234"), (-0.006, 2, "-0.01", "-0.01")])
def test_numbers(value: float, digits: int, plain: str, with_sign: str) -> None:
    assert fixed(value, digits) == plain
    assert signed(value, digits) == with_sign


def test_a_value_as_text() -> None:
    assert Column("a", "A", "number", digits=1).show(2.25) == "2.2"
    assert Column("a", "A", "number").show(0.1) == "0.1"
    assert Column("a", "A", "number", digits=1).show("1.0 [0.5, 1.5]") == "1.0 [0.5, 1.5]"
    assert Column("a", "A").show(None) == ""
    assert (Column("a", "A", unit="MB").title, Column("a", "A").title) == ("A (MB)", "A")


def test_columns_that_say_nothing() -> None:
    columns = Column("a", "A"), Column("b", "B"), Column("c", "C")
    grid = Grid(columns, (((1.0, None, ""),), ((0.0, None, None),)), "why")
    assert without_empty(grid) == Grid((Column("a", "A"),), (((1.0,),), ((0.0,),)), "why")
    assert [column.name for column in without_empty(grid, ["c"]).columns] == ["a", "c"]
