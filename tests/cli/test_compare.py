"""``harness compare`` as a user and a CI job call it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from made_records import make_record

from harness.results.storage.store import Store

Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _results(tmp_path: Path) -> None:
    """Results, and others where one run lost five points of a hundred."""
    for name, count in (("results", 80), ("other", 75)):
        Store(tmp_path / name).put(make_record("minmax", right=[1] * count + [0] * (100 - count)))
        Store(tmp_path / name).put(make_record("omse"))


@pytest.mark.parametrize(("arguments", "code"), [
    (("results", "other"), 0), (("results", "other", "--fail-over", "4.9"), 1),
    (("results", "other", "--fail-over", "5"), 0),
    (("other", "results", "--fail-over", "0"), 0), (("results", "other", "--fail-over", "4.9", "--format", "json"), 1)])
def test_fail_over(harness: Harness, arguments: tuple[str, ...], code: int) -> None:
    done = harness("compare", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("1 runs are worse by more than 4.9, or fail now" in done.stderr) is bool(code)


def test_formats(harness: Harness) -> None:
    assert "-5.00 [" in harness("compare", "results", "other").stdout
    text = harness("compare", "results", "other", "--format", "md").stdout
    assert "| minmax | 0 | top1 | 80.00 | 75.00 | -5.00 [" in text
    found = json.loads(harness("compare", "results", "other", "--format", "json").stdout)
    assert (found["same"], [change["change"] for change in found["changed"]]) == (1, [-5.0])


def test_an_export(harness: Harness) -> None:
    assert harness("export", "--output", "exported", "--frames", "records").returncode == 0
    done = harness("compare", "exported/records.parquet", "results")
    assert "2 runs agree in their numbers, 0 changed" in done.stdout
    assert done.returncode == 0


def test_what_is_neither_folder_nor_file_nor_commit(harness: Harness) -> None:
    done = harness("compare", "HEAD", "results", GIT_CEILING_DIRECTORIES="/")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Give a results folder" in done.stderr


def test_a_damaged_record_is_named_and_the_rest_compared(harness: Harness, tmp_path: Path) -> None:
    (path,) = (tmp_path / "other").glob("records/*/omse*.json")
    path.write_text("{")
    done = harness("compare", "results", "other")
    assert done.returncode == 1
    assert path.name in done.stderr
    assert "-5.00 [" in done.stdout
