"""What changed, as a document: which parts there are, and what their lines say."""

from __future__ import annotations

import json
from typing import Any

from made_records import make_record, make_reference

from harness.report.comparison import as_data, document
from harness.report.json import to_json
from harness.report.markdown import to_markdown
from harness.results.compare import compare
from harness.results.record import Environment, Record

RIGHT = [1] * 300 + [0] * 100
WORSE = [1] * 290 + [0] * 110


def environment(**changes: Any) -> Environment:
    return Environment(**{"harness": "1", "python": "3.11", "commit": "a", "cpu": "old", **changes})


def before() -> list[Record]:
    return [make_record(right=RIGHT, environment=environment()), make_record("omse", environment=environment()),
            make_record("easyquant"), make_reference()]


def after() -> list[Record]:
    return [make_record(right=WORSE, environment=environment(commit="b", cpu="new")),
            make_record("omse", configuration={"clip": 1}, environment=environment()),
            make_record("percentile", failed="x"), make_reference()]


def made() -> Any:
    return document(compare(before(), after()), "old", "new", lambda record: f"<{record.asked.method}>")


def test_its_parts() -> None:
    found = made()
    assert found.remarks == ("1 runs agree in their numbers, 1 changed, 1 moved, 1 only in A, 1 only in B.",)
    assert [part.heading.split(" ")[0] for part in found.parts] == ["Same", "Moved:", "Only", "Only"]
    changed, moved, gone, new = ([line for group in part.grid.texts() for line in group] for part in found.parts)
    assert changed == [["imagenet", "vit_mini (mini)", "4/4", "<minmax>", "0", "top1", "75.00", "72.50",
                        "-2.50 [-4.03, -0.97]", "code; hardware"]]
    assert moved[0][-1] == "clip: none -> 1"
    assert [gone[0][3], new[0][3], new[0][6]] == ["<easyquant>", "<percentile>", "failed"]


def test_causes_are_counted_beneath() -> None:
    assert made().parts[0].notes == ("code: commit: a -> b (1 runs)", "hardware: cpu: old -> new (1 runs)")


def test_costs_have_columns_where_they_changed() -> None:
    cheaper = make_record(right=RIGHT).costs
    assert cheaper is not None
    other = make_record(right=RIGHT, costs=cheaper.model_copy(update={"bops": {"plain": 9e8}}))
    (part,) = document(compare([make_record(right=RIGHT)], [other]), "a", "b", lambda record: "").parts
    line = dict(zip([column.name for column in part.grid.columns], next(part.grid.texts())[0], strict=True))
    assert (line["bops"], line["change"], "size" in line) == ("+12.50 %", "0.00 [0.00, 0.00]", False)


def test_the_full_precision_run_is_called_so() -> None:
    found = document(compare([], [make_reference()]), "a", "b", lambda record: "wrong")
    assert found.parts[0].grid.groups[0][0][3] == "full precision"


def test_no_differences() -> None:
    text = to_markdown(document(compare(before(), before()), "a", "b", lambda record: ""))
    assert "4 runs agree in their numbers, 0 changed" in text
    assert "No differences." in text


def test_as_json() -> None:
    found = json.loads(to_json(as_data(compare(before(), after()), "old", "new")))
    assert (found["a"], found["b"], found["same"]) == ("old", "new", 1)
    (changed,) = found["changed"]
    assert changed["change"] == -2.5
    assert changed["difference"]["samples"] == 400
    assert changed["environment"]["hardware"] == ["cpu: old -> new"]
    assert found["moved"][0]["asked_differently"] == ["clip: none -> 1"]
    assert (found["only_b"][0]["status"], found["only_b"][0]["value"]) == ("failed", None)
