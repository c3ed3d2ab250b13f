"""``harness run`` as a user sees it, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from real_command import COMMAND, environment

RUN = ("run", "--task", "toy", "--calibration", "8")


def test_a_run_is_recorded_and_shown(harness, records):
    done = harness(*RUN, "--methods", "minmax", "--bits", "4/4,8/8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "TOY scale: noise"
    assert set(records()) == {"full_precision 32/32 s0", "minmax 4/4 s0", "minmax 8/8 s0"}
    quantized = records()["minmax 8/8 s0"]
    assert quantized["reference"]["identity"] == records()["full_precision 32/32 s0"]["identity"]
    assert quantized["metrics"]["top1"] > 60  # chance is 25
    assert len(quantized["calibration"]["ids"]) == 8
    assert all(identifier.startswith("train/") for identifier in quantized["calibration"]["ids"])
    assert "minmax" in done.stdout
    assert "8/8" in done.stdout


def test_the_same_command_again_does_only_what_is_missing(harness, records):
    harness(*RUN, "--methods", "minmax", "--bits", "8/8")
    first = records()
    again = harness(*RUN, "--methods", "minmax", "--bits", "8/8,4/4")
    assert again.returncode == 0, again.stderr
    assert "1 of 3 runs to do" in again.stdout
    assert {name: records()[name] for name in first} == first


def test_a_failure_is_recorded_and_the_others_go_on(harness, records):
    done = harness(*RUN, "--methods", "toy_crash,minmax", "--bits", "8/8")
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    failed = records()["toy_crash 8/8 s0"]
    assert failed["status"] == "failed"
    assert failed["failure"]["phase"] == "calibrate"
    assert failed["failure"]["reason"] == "a fault of the plugin"
    assert "ZeroDivisionError" in failed["failure"]["traceback"]
    assert records()["minmax 8/8 s0"]["status"] == "ok"


def test_nan_in_calibration_is_a_recorded_failure(harness, records):
    done = harness(*RUN, "--methods", "toy_nan", "--bits", "8/8")
    assert done.returncode == 2
    assert "NaN or infinity in calibration data at '2.input'" in records()["toy_nan 8/8 s0"]["failure"]["reason"]


def test_same_run_same_numbers(harness, records):
    def measured():
        done = harness(*RUN, "--methods", "toy_noise,minmax", "--bits", "4/4", "--seeds", "3", "--force")
        assert done.returncode == 0, done.stderr
        parts = ("metrics", "per_sample", "notes", "coverage", "costs", "calibration")
        return {name: {part: record[part] for part in parts} for name, record in records().items()}
    assert measured() == measured()


def test_seeds_draw_different_calibration_sets_and_methods_share_them(harness, records):
    harness(*RUN, "--methods", "toy_noise,minmax", "--bits", "8/8", "--seeds", "0,1")
    found = records()
    assert found["minmax 8/8 s0"]["calibration"] == found["toy_noise 8/8 s0"]["calibration"]
    assert found["minmax 8/8 s0"]["calibration"]["sha256"] != found["minmax 8/8 s1"]["calibration"]["sha256"]


@pytest.mark.parametrize(("published", "gate"), [("", "unknown"), ("10.0", "flagged")])
def test_the_full_precision_gate(harness, records, published, gate):
    harness(*RUN, "--methods", "minmax", "--bits", "8/8", TOY_PUBLISHED=published)
    assert records()["minmax 8/8 s0"]["reference"]["gate"] == gate


def _started(tmp_path, *arguments):
    return subprocess.Popen([*COMMAND, *RUN, *arguments], cwd=tmp_path, env=environment(), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _wait_for(records, name, process):
    deadline = time.monotonic() + 60
    while name not in records():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_interruption_loses_nothing_that_was_finished(tmp_path, harness, records, sent):
    arguments = ("--methods", "minmax,toy_sleep", "--bits", "8/8")
    process = _started(tmp_path, *arguments, "--set", "toy_sleep.seconds=60")
    _wait_for(records, "minmax 8/8 s0", process)
    time.sleep(0.3)
    os.kill(process.pid, sent)
    _, errors = process.communicate(timeout=30)
    assert set(records()) == {"full_precision 32/32 s0", "minmax 8/8 s0"}
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on from there" in errors
    before = records()["minmax 8/8 s0"]
    again = harness(*RUN, *arguments, "--set", "toy_sleep.seconds=0.1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert records()["minmax 8/8 s0"] == before


def test_what_does_not_end_is_given_up_and_the_others_go_on(harness, records):
    done = harness(*RUN, "--methods", "toy_sleep,minmax", "--bits", "8/8", "--set", "toy_sleep.seconds=60", "--timeout",
                   "10")
    assert done.returncode == 2
    assert "not done after 10 seconds (--timeout)" in done.stdout
    assert "it was stopped in" in done.stdout
    assert {name: record["status"] for name, record in records().items()} == {
        "full_precision 32/32 s0": "ok", "toy_sleep 8/8 s0": "failed", "minmax 8/8 s0": "ok"}


def test_two_processes_share_a_folder(tmp_path, records):
    arguments = ("--methods", "toy_sleep", "--bits", "8/8,4/4", "--seeds", "0,1", "--set", "toy_sleep.seconds=0.2")
    both = [_started(tmp_path, *arguments) for _ in range(2)]
    output = [process.communicate(timeout=90) for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert len(records()) == 5
    assert all(record["status"] == "ok" for record in records().values())


def test_a_study_file_and_the_command_line_are_the_same(tmp_path, harness, records):
    (tmp_path / "study.toml").write_text(
        'methods = ["minmax"]\ntask = "toy"\nbits = ["8/8"]\ncalibration = 8\n[set.minmax]\nstem_bits = 6\n')
    assert harness("run", "study.toml").returncode == 0
    planned = harness("plan", *RUN[1:], "--methods", "minmax", "--bits", "8/8", "--set", "minmax.stem_bits=6")
    assert "0 of 2 runs to do" in planned.stdout
    assert set(records()) == {"full_precision 32/32 s0", "minmax 8/8 s0"}
