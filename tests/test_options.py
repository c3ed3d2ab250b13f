"""``--set KEY=VALUE``: from text to validated, frozen options."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from harness import ADDED_LATER, Choice, OptionError, Options
from harness.engine.plan import method_options
from harness.options import parse_assignments, parse_value, resolve
from harness.registry import registry


class Inner(Options):
    """Options within options."""

    step: float = Field(0.1, description="step")


class Example(Options):
    """One field of each kind."""

    size: int = Field(32, ge=1, description="how many")
    mode: Literal["fast", "exact"] = Field("fast", description="how")
    stop: int | None = Field(None, description="when")
    inner: Inner = Field(Inner(), description="more")
    search: Choice = Field(Choice(name="grid", options={"points": 80}), description="which search")
    losses: tuple[Choice, ...] = Field((), description="which losses")


@pytest.mark.parametrize(("pairs", "tree"), [
    (["a=1"], {"a": 1}),
    (["a.b=1", "a.c=[x,y]"], {"a": {"b": 1, "c": ["x", "y"]}}),
    (["a.search=minmax", "a.search.x=1"], {"a": {"search": {"name": "minmax", "x": 1}}}),
    (["a.search.x=1", "a.search=minmax"], {"a": {"search": {"name": "minmax", "x": 1}}}),
    (["a=x=y"], {"a": "x=y"}),
    ([" a . b = 2 "], {"a": {"b": 2}}),
    (["a=1", "a=2"], {"a": 2}),
    ([], {}),
])
def test_assignments(pairs: list[str], tree: dict[str, Any]) -> None:
    assert parse_assignments(pairs) == tree


@pytest.mark.parametrize("pair", ["a", "=1", "a.=1", ".a=1", ""])
def test_assignments_of_another_form(pair: str) -> None:
    with pytest.raises(OptionError, match="not of the form KEY=VALUE"):
        parse_assignments([pair])


def test_a_value_and_suboptions_for_one_key() -> None:
    with pytest.raises(OptionError, match="'a' already has the value 1"):
        parse_assignments(["a=1", "a.b=2"])


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1), ("-2.5", -2.5), ("1e-3", 1e-3), ("true", True), ("false", False), ("null", None), ("word", "word"),
    ('"4"', "4"), ("[1,2]", [1, 2]), ("[kd,obr]", ["kd", "obr"]), ("[]", []), ('["a,b"]', ["a,b"]), ("1_000", "1_000"),
    ('{"name": "x", "y": 1}', {"name": "x", "y": 1}), ("two words", "two words"), ("", ""), ("'q'", "'q'"),
    ("[a, 1, true]", ["a", 1, True]), ("none", None), ("1979-05-27", "1979-05-27"), ("a\nb = 1", "a\nb = 1"),
    ("NaN", "NaN"), ("-Infinity", "-Infinity")])
def test_values(text: str, value: Any) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                    | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_is_read_as_json(value: Any) -> None:
    import json

    assert parse_value(json.dumps(value)) == value


def test_defaults_and_a_choice_by_name_or_by_options() -> None:
    assert resolve(Example, {}, "x").search == Choice(name="grid", options={"points": 80})
    assert resolve(Example, {"search": "minmax"}, "x").search == Choice(name="minmax")
    assert resolve(Example, {"search": {"points": 5, "metric": "mse"}}, "x").search == Choice(
        name="grid", options={"points": 5, "metric": "mse"})
    assert resolve(Example, {"search": {"name": "minmax", "q": 1}}, "x").search == Choice(
        name="minmax", options={"q": 1})  # the options of another component are not carried over
    assert resolve(Example, {"search": {"name": "grid", "options": {"q": 1}}}, "x").search == Choice(
        name="grid", options={"points": 80, "q": 1})
    assert resolve(Example, {"losses": ["kd", {"name": "obr", "weight": 2}]}, "x").losses == (
        Choice(name="kd"), Choice(name="obr", options={"weight": 2}))


@pytest.mark.parametrize(("given_options", "message"), [
    ({"sise": 1}, "unknown option of method m: 'sise'\n  Did you mean 'size'?"),
    ({"size": 0}, "method m: option 'size' = 0: Input should be greater than or equal to 1\n  size: how many"),
    ({"size": "many"}, "option 'size' = \"many\""),
    ({"mode": "slow"}, "option 'mode' = \"slow\": Input should be 'fast' or 'exact'"),
    ({"inner": {"stepp": 1}}, "unknown option of method m: 'inner.stepp'\n  Did you mean 'inner.step'?"),
    ({"inner": {"step": "x"}}, "option 'inner.step' = \"x\""),
])
def test_mistakes_are_named_with_their_place_and_remedy(given_options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(Example, given_options, "method m")
    assert message in str(caught.value)


def test_options_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example().size = 3  # type: ignore[misc]


class Grown(Options):
    """A class to which an option was added after records were made."""

    old: int = Field(1, description="always there")
    new: int | None = Field(None, description="came later", json_schema_extra=ADDED_LATER)


def test_an_option_added_later_enters_the_identity_only_where_it_is_set() -> None:
    assert Grown().asked() == ["old"]
    assert Grown(old=2).asked() == ["old"]
    assert Grown(new=5).asked() == ["old", "new"]


def test_records_made_before_an_option_keep_their_identity() -> None:
    """``scope`` came after the first records: it is asked for only where it is not ``all``."""
    known = registry()
    configurations = [method_options(known, known.methods["minmax"], given)
                      for given in ({}, {"scope": "all"}, {"scope": "backbone"})]
    assert "scope" not in configurations[0]
    assert configurations[0] == configurations[1]
    assert configurations[2] == {**configurations[0], "scope": "backbone"}
