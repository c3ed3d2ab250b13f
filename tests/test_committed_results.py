"""The committed tables are what the committed records give, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.table import published_rows
from harness.registry import registry
from harness.results.render import FORMATS
from harness.results.store import Store
from harness.results.tables import build

RESULTS = Path(__file__).parents[1] / "results"
TEXTS = ("README", "claims")
TABLES = sorted(path for path in RESULTS.glob("*.*") if path.suffix in (".md", ".csv") and path.stem not in TEXTS)


def test_there_are_tables():
    assert {path.name for path in TABLES} >= {"imagenet.md", "imagenet.csv"}


def test_every_record_is_readable():
    records, unreadable = Store(RESULTS).records()
    assert not unreadable
    assert all(record.status == "ok" for record in records)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_tables_are_up_to_date(table):
    records, _ = Store(RESULTS).records()
    made = build(records, published_rows(registry()), table.stem, ablations=registry().ablations)
    assert table.read_text() == FORMATS[table.suffix[1:]](made), (
        f"write it anew: harness table --task {table.stem} --format {table.suffix[1:]} --output results/{table.name}")
