"""``harness reproduce`` as a user, and CI, sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from toy_study import toy_results

from harness.results.record import Record

STUDY = "results/studies/ci.toml"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A results folder with three records of the toy task."""
    return toy_results(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def results(measured, tmp_path):
    """A copy of it, where ``harness`` looks for it."""
    return Path(shutil.copytree(measured, tmp_path / "results"))


def _edit(results, method, change):
    """Rewrite the record of a method as if it had measured something else."""
    (path,) = (results / "records" / "toy").glob(f"{method}-*.json")
    record = json.loads(path.read_text())
    change(record)
    record.pop("checksum", None)
    path.write_text(Record.from_json(json.dumps(record)).to_json())
    return record["identity"]


def _worse(record):
    """An accuracy 40 points higher than what will be measured, with samples that fit."""
    record["metrics"]["top1"] += 40.0
    record["per_sample"] = None


def test_a_study_measured_again_is_identical(harness, results):
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    done = harness("reproduce", STUDY)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs reproduced, 3 identical" in done.stdout
    for what in ("dependencies", "hardware"):
        assert f"{what}: the same" in done.stdout
    assert {path: path.read_bytes() for path in results.rglob("*.json")} == before


def test_a_value_outside_its_band_is_exit_code_one(harness, results):
    _edit(results, "minmax", _worse)
    done = harness("reproduce", STUDY)
    assert done.returncode == 1
    assert "2 of 3 runs reproduced" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "not reproduced" in line)
    assert line.split()[:3] == ["minmax", "4/4", "s0"]
    assert "-40.000" in line
    assert "0.500  floor" in line


def test_the_tolerance_is_the_users(harness, results):
    _edit(results, "minmax", _worse)
    done = harness("reproduce", STUDY, "--tolerance", "50")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs reproduced, 2 identical" in done.stdout


@pytest.mark.parametrize("how", ["path", "identity"])
def test_one_record(harness, results, how):
    (path,) = (results / "records" / "toy").glob("minmax-*.json")
    target = str(path) if how == "path" else json.loads(path.read_text())["identity"][:7]
    done = harness("reproduce", target)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs reproduced, 2 identical" in done.stdout  # with the full-precision run
    assert "toy_noise" not in done.stdout


def test_what_was_measured_can_be_kept_and_is_not_measured_twice(harness, results, tmp_path):
    assert harness("reproduce", STUDY, "--output", "again").returncode == 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "again" / "records").rglob("*.json")}
    assert len(kept) == 3
    done = harness("reproduce", STUDY, "--output", "again")
    assert done.stdout.count(": recorded") == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_folder_is_not_held_against_itself(harness, results):
    done = harness("reproduce", STUDY, "--output", "results/../results")
    assert done.returncode == 2
    assert "the committed records themselves" in done.stderr


def test_what_differs_between_then_and_now_is_said_in_three_parts(harness, results):
    def elsewhere(record):
        record["environment"] |= {"commit": "0123456789ab", "cpu": "Z80", "threads": 64}
        record["environment"]["packages"]["numpy"] = "0.0.1"
    _edit(results, "minmax", elsewhere)
    done = harness("reproduce", STUDY)
    assert done.returncode == 0, done.stderr
    lines = {line.partition(":")[0]: line for line in done.stdout.splitlines()}
    assert "commit: 0123456789ab ->" in lines["code"]
    assert "numpy: 0.0.1 ->" in lines["dependencies"]
    assert "cpu: Z80 ->" in lines["hardware"]
    assert "threads: 64 -> 1" in lines["hardware"]


def test_a_run_that_fails_now_is_not_reproduced(harness, results):
    (path,) = (results / "records" / "toy").glob("minmax-*.json")
    record = json.loads(path.read_text())
    record["asked"]["method"] = "toy_crash"
    record["asked"]["configuration"] = {"seconds": 0.0}
    del record["identity"]
    record.pop("checksum", None)
    crashed = Record.from_json(json.dumps(record))
    path.with_name(f"toy_crash-toy-4-4-s0-{crashed.identity}.json").write_text(crashed.to_json())
    done = harness("reproduce", crashed.identity)
    assert done.returncode == 1
    assert "failed: a fault of the plugin" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("results/studies/none.toml",), "cannot read study file"),
    (("0000000",), "no record '0000000'"),
    ((STUDY, "--results", "elsewhere"), "there is no committed record of"),
    ((STUDY, "--device", "nonsense"), "device 'nonsense' cannot be used")])
def test_mistakes_are_said_in_one_line(harness, results, arguments, message):
    done = harness("reproduce", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_data_that_are_not_there_are_said(harness, results):
    (results / "studies" / "full.toml").write_text(
        'methods = ["minmax"]\ntask = "imagenet"\nscale = "full"\nmodel = "deit_tiny_patch16_224"\nbits = "4/4"\n')
    for extra in ((), ("--data", "nowhere")):
        done = harness("reproduce", "results/studies/full.toml", *extra, HARNESS_IMAGENET="")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert ("--data" if not extra else "nowhere") in done.stderr


def test_other_data_than_those_of_the_record_are_said(harness, results):
    (path,) = (results / "records" / "toy").glob("minmax-*.json")
    record = json.loads(path.read_text())
    record["asked"]["fingerprint"] = "other-data"
    del record["identity"]
    record.pop("checksum", None)
    other = Record.from_json(json.dumps(record))
    path.unlink()
    path.with_name(f"minmax-toy-4-4-s0-{other.identity}.json").write_text(other.to_json())
    done = harness("reproduce", other.identity)
    assert done.returncode == 2
    assert "has other data" in done.stderr
    assert "--data" in done.stderr
