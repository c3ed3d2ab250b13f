"""What is committed in ``results/`` is what its records give, byte for byte, and CI can measure its study again."""

from __future__ import annotations

from pathlib import Path

from harness.cli.report import report
from harness.engine.plan import make_plan
from harness.engine.study import make_study, read_study
from harness.registry import registry
from harness.results.storage.store import Store

RESULTS = Path(__file__).parents[1] / "results"


def test_every_record_is_readable():
    entries, unreadable = Store(RESULTS).entries()
    assert not unreadable
    assert entries
    assert all(entry.status == "ok" for entry in entries)


def test_what_is_made_from_the_records_is_up_to_date():
    report(check=True, results=RESULTS)  # leaves with an error, and says which files and lines, where it is not


def test_the_study_that_ci_measures_again_is_recorded():
    planned = make_plan(make_study(read_study(RESULTS / "studies" / "ci.toml")), registry(), Store(RESULTS))
    assert {item.state for item in planned} == {"recorded"}
