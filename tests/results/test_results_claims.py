"""Claims: files that are read and refused, every verdict, and where it is given."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import make_record, make_reference

from harness.errors import DataError
from harness.results.claims.judge import Claim, Verdict, judge, read_claims
from harness.results.record import Record

ABLATIONS = {"a": {"off": {"search": {"x": 1}}}, "b": {}}


def claim(**changes: Any) -> Claim:
    return Claim.model_validate({"id": "c", "says": "a beats b", "where": "Table 1", "task": "imagenet", "bits": "4/4",
                                 "first": "a", "second": "b", "source": "a", **changes})


def rights(count: int, of: int = 400) -> list[int]:
    return [1] * count + [0] * (of - count)


def run(method: str, count: int, seed: int = 0, **fields: Any) -> Record:
    budget = fields.pop("budget", "")
    record = make_record(method, right=rights(count), seed=seed, **{"bits": "4/4", **fields})
    return record.model_copy(update={"asked": record.asked.model_copy(update={"budget": budget})}) if budget else record


def only(asked: Claim, *records: Record) -> Verdict:
    (verdict,) = judge([asked], records, ABLATIONS)
    return verdict


@pytest.mark.parametrize(("first", "changes", "expected"), [
    (300, {}, "reproduced"), (200, {}, "not reproduced"), (251, {}, "undecided"), (250, {}, "undecided"),
    (200, {"expect": "lower"}, "reproduced"), (300, {"expect": "lower"}, "not reproduced"),
    (300, {"by": 5.0}, "reproduced"), (300, {"by": 20.0}, "not reproduced"), (300, {"by": 12.0}, "undecided"),
    (248, {"by": -3.0}, "reproduced"), (225, {"by": -3.0}, "not reproduced"), (300, {"by": 12.5}, "undecided"),
    (250, {"expect": "equal", "within": 1.0}, "reproduced"),
    (300, {"expect": "equal", "within": 1.0}, "not reproduced"),
    (200, {"expect": "equal", "within": 1.0}, "not reproduced"), (252, {"expect": "equal", "within": 0.6}, "undecided"),
    (246, {"expect": "equal", "within": 1.0}, "undecided"),
])
def test_verdicts(first: int, changes: dict[str, Any], expected: str) -> None:
    verdict = only(claim(**changes), run("a", first), run("b", 250))
    assert verdict.verdict == expected
    assert verdict.difference is not None
    assert verdict.difference.value == pytest.approx((first - 250) / 4)


def test_the_identities_are_of_the_records_it_is_judged_by() -> None:
    records = [run("a", 300), run("b", 250), run("b", 250, bits="8/8"), run("c", 1)]
    assert only(claim(), *records).identities == tuple(sorted(record.identity for record in records[:2]))


def test_missing_runs_are_not_tested_and_the_command_is_said() -> None:
    verdict = only(claim(bits=["4/4", "6/6"], second="b", first="a:off"), run("a", 300), run("b", 300))
    assert (verdict.verdict, verdict.scope, verdict.bits) == ("not tested", None, "4/4, 6/6")
    assert verdict.commands == ("harness run --methods a:off,b --task imagenet --bits 4/4,6/6",)


def test_commands_with_options_budgets_and_bits_of_their_own() -> None:
    asked = claim(first={"method": "a", "options": {"search": {"x": 2}}, "budget": "3ep"}, models=["vit_mini"],
                  second={"method": "b", "bits": "8/8"}, scale="mini")
    assert only(asked).commands == (
        "harness run --methods b --task imagenet --bits 8/8 --scale mini --model vit_mini",
        "harness run --methods a --task imagenet --bits 4/4 --scale mini --model vit_mini --budget 3ep "
        "--set a.search.x=2")


def test_a_failed_run_is_no_run() -> None:
    assert only(claim(), run("a", 300), make_record("b", failed="no")).verdict == "not tested"


def test_an_ablation_is_found_by_its_options() -> None:
    off = run("a", 300, options={"search": {"x": 1}}, configuration={"x": 1})
    found = only(claim(first="a:off"), off, run("a", 100), run("b", 250))
    assert (found.verdict, found.contrasts[0].first.label) == ("reproduced", "a:off")
    by_options = claim(first={"method": "a", "options": {"search": {"x": 1}}})
    assert only(by_options, off, run("b", 250)).verdict == "reproduced"


def test_once_for_each_scope() -> None:
    records = [run(method, count, **place) for method, count in (("a", 300), ("b", 250))
               for place in ({}, {"model": "swin_mini"}, {"scale": "full", "fingerprint": "d1"})]
    records.append(run("a", 300, model="lonely"))
    verdicts = judge([claim()], records, ABLATIONS)
    assert [verdict.where for verdict in verdicts] == [
        "imagenet, full scale, vit_mini, 4/4", "imagenet, mini scale, swin_mini, 4/4",
        "imagenet, mini scale, vit_mini, 4/4"]
    assert [verdict.where for verdict in judge([claim(models=["swin_mini"])], records, ABLATIONS)] == [
        "imagenet, mini scale, swin_mini, 4/4"]
    assert [verdict.where for verdict in judge([claim(scale="full")], records, ABLATIONS)] == [
        "imagenet, full scale, vit_mini, 4/4"]


def test_scopes_are_never_mixed() -> None:
    assert only(claim(), run("a", 300), run("b", 250, weights_hash="w1")).verdict == "not tested"


def test_each_budget_stands_alone_and_needs_no_training_of_the_other() -> None:
    records = [run("a", 300, seed, budget=budget) for budget in ("1ep", "4ep") for seed in (0, 1)]
    trained = [run("b", 250, seed, budget="4ep") for seed in (0, 1)]
    assert [verdict.where for verdict in judge([claim()], records + trained, ABLATIONS)] == [
        "imagenet, mini scale, vit_mini, 4/4, 4ep"]
    untrained = [run("b", 250, seed) for seed in (0, 1)]
    assert [verdict.budget for verdict in judge([claim()], records + untrained, ABLATIONS)] == ["1ep", "4ep"]
    fixed = claim(first={"method": "a", "budget": "1ep"}, second={"method": "b", "budget": "4ep"})
    assert only(fixed, *records, *trained).verdict == "reproduced"


def test_one_seed_of_training_decides_nothing() -> None:
    verdict = only(claim(), run("a", 400, budget="1ep"), run("b", 100, budget="1ep"))
    assert (verdict.verdict, verdict.contrasts[0].reason) == (
        "undecided", "one seed of training, whose spread is not known")


def test_several_operands_need_all() -> None:
    asked = claim(second=["b", "c", "d"])
    records = [run("a", 300), run("b", 200), run("c", 210)]
    assert only(asked, *records, run("d", 220)).verdict == "reproduced"
    assert only(asked, *records, run("d", 380)).verdict == "not reproduced"
    partly = only(asked, *records)
    assert (partly.verdict, partly.contrasts[2].reason) == ("undecided", "no run of d")
    assert partly.commands == ("harness run --methods a,b,c,d --task imagenet --bits 4/4",)
    assert partly.difference is None


def test_an_order_compares_neighbours() -> None:
    asked = claim(first=None, second=(), order=["a", "b", "c"])
    assert asked.pairs == ((0, 1), (1, 2))
    assert only(asked, run("a", 350), run("b", 300), run("c", 200)).verdict == "reproduced"
    assert only(asked, run("a", 350), run("b", 200), run("c", 300)).verdict == "not reproduced"
    assert only(asked, run("a", 350), run("b", 300), run("c", 299)).verdict == "undecided"


def test_full_precision_and_bits_of_an_operand() -> None:
    close = claim(second="full_precision", by=-1.0)
    assert only(close, run("a", 399), make_reference(rights(400))).verdict == "reproduced"
    wide = claim(second={"method": "b", "bits": "8/8"})
    assert only(wide, run("a", 300), run("b", 380), run("b", 200, bits="8/8")).verdict == "reproduced"


def test_costs_that_are_equal_are_not_lower() -> None:
    asked = claim(quantity="costs.bops.plain", expect="lower")
    assert only(asked, run("a", 1), run("b", 1)).verdict == "not reproduced"
    assert only(asked.model_copy(update={"expect": "higher"}), run("a", 1), run("b", 1)).verdict == "not reproduced"


def test_a_ratio() -> None:
    asked = claim(quantity="costs.bops.plain", expect="lower", ratio=True, by=0.76, bits="6/6",
                  second={"method": "b", "bits": "8/8"})
    records = [run("a", 1, bits="6/6"), run("b", 1, bits="8/8")]
    assert only(asked, *records).verdict == "reproduced"
    assert only(asked.model_copy(update={"by": 0.74}), *records).verdict == "not reproduced"


def test_records_without_the_number_are_not_tested() -> None:
    verdict = only(claim(quantity="notes.sdam.trained"), run("a", 1), run("b", 1))
    assert verdict.verdict == "not tested"


def test_an_untestable_claim_says_why() -> None:
    asked = Claim(id="u", says="s", where="w", untestable="no such hardware")
    assert only(asked, run("a", 300)).verdict == "not tested"


def test_runs_with_older_defaults_give_way_to_the_newest() -> None:
    old = run("a", 100, configuration={"x": 0}, created="2024-01-01T00:00:00+00:00")
    assert only(claim(), old, run("a", 300, 1, configuration={"x": 1}), run("b", 250, 1)).verdict == "reproduced"


def test_an_unknown_ablation_is_named() -> None:
    with pytest.raises(DataError, match=r"claims.toml of a, claim c: a has no ablation 'of'") as caught:
        judge([claim(first="a:of")], [], ABLATIONS)
    assert caught.value.remedy == "It has: off"
    not_installed = only(claim(second="elsewhere:x"), run("a", 300), run("elsewhere", 200))
    assert not_installed.verdict == "not tested"


FILE = """
[[claim]]
id = "one"
says = "a beats b"
where = "Table 1"
task = "imagenet"
bits = ["4/4", "1/1/1"]
first = "a:off"
second = { method = "b", options = { g = 2 } }
published = [{ bits = "4/4", model = "M", values = [2, 1.5] }]
"""


def test_a_file() -> None:
    (read,) = read_claims(FILE, "a")
    assert (read.source, read.task, read.bits) == ("a", ("imagenet",), ("4/4", "1/1/1"))
    assert [operand.label for operand in read.operands] == ["a:off", "b (g=2)"]
    assert read.published[0].values == (2.0, 1.5)
    assert read_claims("", "a") == []


@pytest.mark.parametrize(("old", "new", "message"), [
    ('says = "a beats b"', "", "claim one: says: Field required"), ('id = "one"', 'id = "One !"', "claim One !: id: "),
    ('bits = ["4/4", "1/1/1"]', 'bits = "4"', "claim one: bits.0: "), ('id = "one"', "", "claim 1: id: Field required"),
    ('where = "Table 1"', 'where = "Table 1"\nsay = 1', "claim one: say: Extra inputs"),
    ('second = { method = "b", options = { g = 2 } }', "", "claim one: needs first and second, or order"),
    ('first = "a:off"', 'first = "a:off"\norder = ["a", "b"]', "claim one: needs first and second, or order"),
    ('task = "imagenet"', "", "claim one: needs a task and bits"),
    ('task = "imagenet"', 'task = "imagenet"\nquantity = "speed"', "claim one: quantity: .*'speed' does not"),
    ('task = "imagenet"', 'task = "imagenet"\nexpect = "equal"', "claim one: within belongs to"),
    ('task = "imagenet"', 'task = "imagenet"\nwithin = 1', "claim one: within belongs to"),
    ('task = "imagenet"', 'task = "imagenet"\nratio = true', "claim one: a ratio needs"),
    ('task = "imagenet"', 'task = "imagenet"\nuntestable = "why"', "claim one: untestable, and yet a query"),
    ("values = [2, 1.5]", "values = [2]", "claim one: published: 1 values at 4/4 for 2 operands"),
    ("values = [2, 1.5]", 'values = ["x", 2]', r"claim one: published.0.values.0: "),
    ("[[claim]]", "[[claims]]", "claims: "),
    ("[[claim]]", "[[claim]", "Expected"), ("[[claim]]", "[[claim]]" + FILE[10:] + "[[claim]]", "the id a second"),
])
def test_broken_files_are_named(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(DataError, match=rf"claims.toml of a.*{message}"):
        read_claims(FILE.replace(old, new), "a")
