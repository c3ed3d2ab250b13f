"""``harness table`` as a user calls it: filters, columns, formats, files, and mistakes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from made_records import make_record, make_reference

from harness.results.storage.store import Store

Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _results(tmp_path: Path) -> None:
    """Three methods, one of them as an ablation of its paper, at two bit-widths."""
    no_allocation = {"search": {"options": {"alloc": "uniform"}}}
    store = Store(tmp_path / "results")
    right = [1] * 70 + [0] * 30
    for record in (
            make_reference([1] * 90 + [0] * 10), make_record("minmax", right=right),
            make_record("minmax", "8/8", right=right), make_record("omse", right=[1] * 60 + [0] * 40),
            make_record("igqvit", right=[1] * 80 + [0] * 20, timings={"calibrate": 2.0}, peak_memory=2**20),
            make_record("igqvit", options=no_allocation, configuration={"alloc": "uniform"}, right=right)):
        store.put(record)


def table(harness: Harness, *arguments: str, code: int = 0) -> str:
    done = harness("table", "--task", "imagenet", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_filters(harness: Harness) -> None:
    text = table(harness, "--method", "minmax,omse", "--bits", "4/4")
    assert "omse" in text
    assert "igqvit" not in text
    assert "8/8" not in text
    assert "full precision" in text


def test_columns_and_groups(harness: Harness) -> None:
    lines = table(harness, "--columns", "metric,size", "--group-by", "method").splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("W/A"))
    assert lines[head].split() == ["W/A", "method", "top1", "size"]
    assert [line.split()[0] for line in lines[head + 1:] if line.startswith(("4/4", "8/8")) and "minmax" in line] == [
        "4/4", "8/8"]


def test_the_format_follows_the_ending(harness: Harness, tmp_path: Path) -> None:
    for ending, begins in (("md", "# imagenet"), ("csv", "kind,task"), ("tex", "% imagenet"),
                           ("html", "<!doctype html>"), ("json", "{")):
        path = tmp_path / f"made.{ending}"
        table(harness, "--output", str(path))
        assert path.read_text().startswith(begins)
        assert table(harness, "--output", str(path), "--check") == ""
    path.write_text(json.dumps({}))
    assert table(harness, "--output", str(path), "--check", code=1) == ""


@pytest.mark.parametrize(("arguments", "message", "remedy"), [
    (("--columns", "metric,bop"), "unknown column 'bop'", "Did you mean 'bops'?"),
    (("--method", "minmx"), "unknown method 'minmx'", "Did you mean 'minmax'?"),
    (("--method", "igqvit:no alocation"), "unknown ablation of igqvit 'no alocation'", "Did you mean 'no allocation'?"),
    (("--model", "vit_min"), "unknown model among the records: 'vit_min'", "Did you mean 'vit_mini'?"),
    (("--bits", "5/5"), "unknown bits among the records: '5/5'", "Known: 32/32, 4/4, 8/8"),
    (("--convention", "plan"), "unknown", "Did you mean 'plain'?"),
    (("--output", "made.docx"), "no format is known by the ending of made.docx", "--format")])
def test_mistakes(harness: Harness, arguments: tuple[str, ...], message: str, remedy: str) -> None:
    done = harness("table", "--task", "imagenet", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_a_suite_has_no_columns_to_choose(harness: Harness) -> None:
    done = harness("table", "--task", "glue", "--columns", "metric")
    assert done.returncode == 2
    assert "glue is a suite" in done.stderr
    assert "glue-rte" in done.stderr


def test_a_narrow_terminal_says_what_it_leaves_out(harness: Harness) -> None:
    done = harness("table", "--task", "imagenet", "--no-published", COLUMNS="70")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 70
    assert "(no room for:" in done.stdout
