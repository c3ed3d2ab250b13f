"""Which runs repeat a study or a record, and what is said where there is nothing to hold them against."""

from __future__ import annotations

import pytest

from harness.engine.plan import make_plan
from harness.engine.repeat import study_of, to_repeat
from harness.engine.study import make_study
from harness.errors import DataError
from harness.registry import registry
from harness.results.record import Environment, Record
from harness.results.storage.store import Store

KEYS = {"methods": ["minmax"], "task": ["imagenet"], "scale": "mini", "bits": ["4/4"]}


def _recorded(run, **asked):
    return Record(asked=run.asked.model_copy(update=asked), options=run.given, status="ok", metrics={"top1": 1.0},
                  main_metric="top1", environment=Environment(harness="0.1.0", python="3.11"),
                  created="2025-01-02T03:04:05+00:00")


def _runs(keys, tmp_path):
    return [item.run for item in make_plan(make_study(keys), registry(), Store(tmp_path))]


def _committed(runs, **asked):
    return {record.identity: record for record in (_recorded(run, **asked) for run in runs)}


@pytest.mark.parametrize("keys", [
    {}, {"bits": ["8/8"], "seeds": [3]}, {"set": {"minmax": {"search": {"ema": True, "rate": 0.1}}}},
    {"methods": ["minmax:ema"]}, {"calibration": 8, "limit": 100}, {"model": ["swin_mini"]},
    {"methods": ["lsq"], "budget": ["steps=3"], "set": {"lsq": {"losses": ["task", "kure"]}}},
    {"methods": ["full_precision"], "limit": 50}])
def test_the_study_of_a_record_asks_for_the_same_run(keys, tmp_path):
    run = _runs(KEYS | keys, tmp_path)[-1]
    again = _runs(study_of(_recorded(run)), tmp_path)
    assert again[-1].identity == run.identity
    assert {each.method for each in again} <= {"full_precision", run.method}


def test_runs_of_several_targets_are_measured_once(tmp_path):
    first, second = make_study(KEYS), make_study(KEYS | {"bits": ["4/4", "8/8"]})
    committed = _committed(_runs(KEYS | {"bits": ["4/4", "8/8"]}, tmp_path))
    planned = to_repeat([first, second], registry(), committed, Store(tmp_path))
    assert [str(item.run.bits) for item in planned] == ["32/32", "4/4", "8/8"]


def test_a_reference_need_not_be_committed_unless_it_is_what_was_asked_for(tmp_path):
    committed = _committed(_runs(KEYS, tmp_path)[1:])
    assert len(to_repeat([make_study(KEYS)], registry(), committed, Store(tmp_path))) == 2
    with pytest.raises(DataError, match="no committed record of full_precision"):
        to_repeat([make_study(KEYS | {"methods": ["full_precision"]})], registry(), committed, Store(tmp_path))


@pytest.mark.parametrize(("asked", "message", "remedy"), [
    ({"seed": 7}, "no committed record", "harness run"),
    ({"fingerprint": "d1"}, "other data", "--data"),
    ({"weights_hash": "w1"}, "another checkpoint", "--weights"),
    ({"configuration": {}}, "other options", "options"),
    ({"calibration_size": 8}, "another calibration size", "calibration"),
    ({"evaluation_limit": 8}, "another number of evaluation samples", "limit"),
    ({"fingerprint": "d1", "weights_hash": "w1"}, "other data and another checkpoint", "--data")])
def test_what_is_not_recorded_is_said_with_what_differs(asked, message, remedy, tmp_path):
    committed = _committed(_runs(KEYS, tmp_path)[1:], **asked)
    with pytest.raises(DataError, match=message) as error:
        to_repeat([make_study(KEYS)], registry(), committed, Store(tmp_path))
    assert remedy in error.value.remedy


def test_a_recorded_failure_is_nothing_to_hold_a_run_against(tmp_path):
    committed = {identity: record.model_copy(update={"status": "failed"})
                 for identity, record in _committed(_runs(KEYS, tmp_path)).items()}
    with pytest.raises(DataError, match="no committed record"):
        to_repeat([make_study(KEYS)], registry(), committed, Store(tmp_path))


def test_an_impossible_run_is_said(tmp_path):
    with pytest.raises(DataError, match="not possible: lsq"):
        to_repeat([make_study(KEYS | {"methods": ["lsq"], "bits": ["1/1"]})], registry(), {}, Store(tmp_path))
