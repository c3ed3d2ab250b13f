"""Every format: the same bytes for the same records, nothing of the content taken for markup, nothing left out."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pytest
from made_records import make_record
from made_tables import made_records, made_rows, made_table

from harness.report.markdown import escape
from harness.report.tables import FORMATS, render
from harness.report.tidy import NAMES
from harness.results.record import Reference
from harness.results.tables.table import build

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_golden_tables(form: str) -> None:
    """The committed text of this table, byte for byte."""
    assert FORMATS[form](made_table()) == (GOLDEN / f"table.{form}").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_same_bytes_in_any_order(form: str) -> None:
    records, rows = made_records(), made_rows()
    records += [make_record(method, scale="full", reference=Reference(identity=method, value=value))
                for method, value in (("x", 90.0), ("y", 91.0), ("z", 92.0))]
    texts = set()
    for seed in range(6):
        random.Random(seed).shuffle(records)
        random.Random(seed).shuffle(rows)
        texts.add(render(build(records, rows, "imagenet"), form))
    assert len(texts) == 1


@pytest.mark.parametrize("form", ["md", "latex", "html"])
def test_what_must_be_said_is_in_every_format(form: str) -> None:
    """The split, the reference, failures, the smallest gap, how to read it, and the mark of published figures."""
    text = render(made_table(make_record(model="swin_mini")), form).replace("\\_", "_")
    for words in ("These records differ in model (swin_mini, vit_mini)", "full precision", "omse [failed]",
                  "Smallest gap between two rows that this table can resolve: 3.17 at 4/4", "NaN or infinity",
                  "Published, not measured here", "standard deviation", "convention plain"):
        assert words in text, words


@pytest.mark.parametrize("form", ["md", "latex", "html"])
def test_no_records(form: str) -> None:
    assert "No records." in render(build([], (), "imagenet"), form)


def test_markdown_cells_do_not_break_their_table() -> None:
    text = render(made_table(), "md")
    assert r"a \| b_c &amp; 50 % &lt;i>" in text
    assert r"illegible \| torn" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in tables} == {14, 8}
    assert escape("a*b\n `c` \\d") == r"a\*b \`c\` \\d"


def test_csv_has_every_number_in_full() -> None:
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](made_table()))))
    assert tuple(lines[0]) == NAMES
    assert [(line["kind"], line["method"], line["bits"]) for line in lines] == [
        ("measured", "full_precision", "32/32"), ("measured", "igqvit", "4/4"), ("measured", "igqvit", "8/8"),
        ("measured", "minmax", "4/4"), ("measured", "omse", "4/4"), *[("published", "igqvit", "4/4")] * 2,
        *[("published", "ptq4vit", "4/4")] * 2]
    assert float(lines[3]["difference"]) == pytest.approx(-12.5)
    assert float(lines[3]["difference_low"]) == pytest.approx(-15.67, abs=0.01)
    assert (lines[4]["value"], lines[4]["failed_seeds"]) == ("", "0")
    assert (lines[1]["seconds"], lines[1]["peak_memory_bytes"], lines[1]["simulated_samples_per_second"]) == (
        "3.0", str(2**29), "100.0")
    assert lines[8]["note"] == "damaged: illegible | torn"


def test_csv_has_a_line_for_each_metric_beside() -> None:
    record = make_record("a", metrics={"box_ap": 40.0, "mask_ap": 30.123456789}, main_metric="box_ap", per_sample=None,
                         metrics_beside=("mask_ap",))
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](build([record], (), "imagenet")))))
    assert [(line["metric"], line["value"]) for line in lines] == [("box_ap", "40.0"), ("mask_ap", "30.123456789")]


def test_json_has_everything() -> None:
    section = json.loads(FORMATS["json"](made_table()))["sections"][0]
    cell = section["rows"][1]["cells"]["4/4"]
    assert cell["difference"]["samples"] == 400
    assert len(cell["identities"]) == 2
    assert section["scope"]["fingerprint"] == "d0"
    assert section["gate"]["gate"] == "passed"
    assert section["rows"][0]["cells"]["4/4"]["published"][0]["value"] == 55.29
    assert [figure["value"] for figure in section["published"]] == [1.5, 55.29, 2.0, None]
