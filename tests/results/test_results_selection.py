"""Filters of records: what passes, and that a misspelt one is said instead of showing an empty table."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import make_record, make_reference

from harness import HarnessError
from harness.results.record import Record
from harness.results.tables.selection import Selection, bits_order

ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {"igqvit": {"coarse": {"group": 2}}, "minmax": {}, "omse": {}}


def records() -> list[Record]:
    def run(method: str, bits: str = "4/4", **fields: Any) -> Record:
        return make_record(method, bits, configuration=fields.get("options", {}), **fields)
    return [make_reference(), run("igqvit"), run("igqvit", "8/8"), run("igqvit", options={"group": 2}),
            run("igqvit", options={"group": 3}), run("minmax"), run("minmax", model="swin_mini"),
            run("minmax", scale="full", model="deit")]


def chosen(**filters: Any) -> list[str]:
    return [f"{record.asked.method} {record.asked.model} {record.asked.bits} {record.options.get('group', '')}".strip()
            for record in Selection(**filters).of(records(), ABLATIONS)]


@pytest.mark.parametrize(("filters", "expected"), [
    ({"bits": ("8/8",)}, ["full_precision vit_mini 32/32", "igqvit vit_mini 8/8"]),
    ({"models": ("swin_mini",)}, ["minmax swin_mini 4/4"]),
    ({"scales": ("full",)}, ["minmax deit 4/4"]),
    ({"methods": ("minmax",), "models": ("vit_mini",)}, ["full_precision vit_mini 32/32", "minmax vit_mini 4/4"]),
    ({"methods": ("igqvit:coarse",)}, ["full_precision vit_mini 32/32", "igqvit vit_mini 4/4 2"]),
    ({"methods": ("igqvit",), "bits": ("4/4",), "named_ablations": False},
     ["full_precision vit_mini 32/32", "igqvit vit_mini 4/4", "igqvit vit_mini 4/4 3"]),
    ({"methods": ("minmax", "igqvit:coarse"), "models": ("vit_mini",), "named_ablations": False},
     ["full_precision vit_mini 32/32", "igqvit vit_mini 4/4 2", "minmax vit_mini 4/4"]),
    ({"methods": ("omse",)}, ["full_precision vit_mini 32/32"])])
def test_what_passes(filters: dict[str, Any], expected: list[str]) -> None:
    assert chosen(**filters) == expected


def test_without_filters_everything_passes() -> None:
    assert len(chosen()) == len(records())
    assert len(chosen(methods=("igqvit", "minmax"))) == len(records())


@pytest.mark.parametrize(("filters", "message", "near"), [
    ({"methods": ("minmx",)}, "unknown method 'minmx'", "'minmax'"),
    ({"methods": ("igqvit:corse",)}, "unknown ablation of igqvit 'corse'", "'coarse'"),
    ({"methods": ("minmax:coarse",)}, "unknown ablation of minmax 'coarse'", "Known: none"),
    ({"models": ("vitmini",)}, "unknown model among the records: 'vitmini'", "'vit_mini'"),
    ({"bits": ("4/8",)}, "unknown bits among the records: '4/8'", "4/4, 8/8"),
    ({"scales": ("large",)}, "unknown scale among the records: 'large'", "full, mini")])
def test_a_value_that_nothing_knows(filters: dict[str, Any], message: str, near: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        chosen(**filters)
    assert near in caught.value.remedy


def test_without_records_nothing_is_unknown_but_methods() -> None:
    assert Selection(models=("any",), bits=("4/4",)).of([], ABLATIONS) == []


def test_bits_are_ordered_as_numbers() -> None:
    assert sorted(["16/16", "8/8", "4/8", "4/4", "1/1/1"], key=bits_order) == ["1/1/1", "4/4", "4/8", "8/8", "16/16"]
