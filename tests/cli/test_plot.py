"""``harness plot``: which files it writes, and what it says where it cannot."""

from __future__ import annotations

import json

import pytest
import typer
from made_records import make_record, make_reference
from typer.testing import CliRunner

from harness.cli.plot import plot
from harness.errors import DataError, OptionError, UnknownNameError
from harness.results.storage.store import Store

app = typer.Typer()
app.command()(plot)


@pytest.fixture
def results(tmp_path):
    store = Store(tmp_path / "results")
    for record in (make_reference(), make_record("minmax", "4/4"), make_record("minmax", "8/8"),
                   make_record("omse", "8/8", model="swin_mini"), make_record("minmax", task="coco-detr")):
        store.put(record)
    return str(store.folder)


def _plot(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_kinds_are_listed():
    done = _plot("--list")
    assert done.exit_code == 0
    assert "accuracy-bops" in done.output
    assert "sensitivity" in done.output


def test_a_folder_gets_every_chart_of_the_task(tmp_path, results):
    done = _plot("accuracy-bops", "--task", "imagenet", "--results", results, "--output", str(tmp_path / "plots"))
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert names == ["accuracy-bops-imagenet-mini-swin_mini.svg", "accuracy-bops-imagenet-mini-vit_mini.svg"]
    assert sorted(path.rpartition("/")[2] for path in done.output.split()) == names


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("json", b"{")])
def test_a_file_gets_the_one_chart_that_is_left(tmp_path, results, ending, start):
    path = tmp_path / f"chart.{ending}"
    done = _plot("accuracy-bops", "--task", "imagenet", "--model", "vit_mini", "--results", results,
                 "--output", str(path))
    assert done.exit_code == 0, done.output
    assert path.read_bytes().startswith(start)


def test_filters_choose_the_records(tmp_path, results):
    path = tmp_path / "chart.json"
    done = _plot("accuracy-bops", "--task", "imagenet", "--bits", "8/8", "--method", "minmax", "--results", results,
                 "--output", str(path))
    assert done.exit_code == 0, done.output
    text = json.dumps(json.loads(path.read_text()))
    assert "8/8" in text
    assert "4/4" not in text
    assert "omse" not in text


@pytest.mark.parametrize(("arguments", "error", "said"), [
    (("acuracy-bops", "--task", "imagenet"), UnknownNameError, "Did you mean 'accuracy-bops'?"),
    (("accuracy-bops", "--task", "imagenett"), UnknownNameError, "Did you mean 'imagenet'?"),
    (("accuracy-bops", "--task", "imagenet", "--bits", "5/5"), UnknownNameError, "'5/5'"),
    (("accuracy-bops", "--task", "imagenet", "--convention", "plane"), UnknownNameError, "Did you mean 'plain'?"),
    (("accuracy-bops",), OptionError, "which task"),
    ((), OptionError, "accuracy-bops"),
    (("training", "--task", "imagenet"), DataError, "--methods lsq"),
    (("accuracy-bops", "--task", "imagenet", "--output", "all.svg"), OptionError, "2 charts do not fit into all.svg"),
    (("accuracy-bops", "--task", "imagenet", "--output", "chart.pdf"), OptionError, "End it in .svg, .png, .json")])
def test_mistakes_are_named_with_a_remedy(results, arguments, error, said):
    done = _plot(*arguments, "--results", results)
    assert isinstance(done.exception, error)
    assert said in str(done.exception)
    assert done.exception.remedy


def test_no_records(tmp_path):
    done = _plot("accuracy-bits", "--task", "imagenet", "--results", str(tmp_path / "nowhere"))
    assert isinstance(done.exception, DataError)
    assert "harness run" in done.exception.remedy
