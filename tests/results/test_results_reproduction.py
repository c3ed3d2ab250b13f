"""Bands and verdicts of what was measured again."""

from __future__ import annotations

from statistics import stdev

import pytest
from made_records import make_record

from harness.results.environment_difference import environment_difference
from harness.results.record import Costs, Environment
from harness.results.reproduction import reproduction

HERE = Environment(harness="0.1.0", commit="abc", python="3.11.9", packages={"torch": "2.4.0", "timm": "1.0"},
                   platform="Linux", cpu="A", isa=("AVX2",), threads=1, device="cpu")


def _right(wrong, n=1000, start=0):
    return [0 if start <= index < start + wrong else 1 for index in range(n)]


def _record(wrong=100, seed=0, **fields):
    return make_record("minmax", seed=seed, right=_right(wrong), **{"environment": HERE, **fields})


def _held(committed, measured, history=None, **options):
    found = reproduction(committed, measured, [committed] if history is None else history, **options)
    return found, {value.name: value for value in found.values}


def test_the_same_bits_are_identical():
    found, values = _held(_record(), _record(created="2026-01-01T00:00:00+00:00", timings={"evaluate": 3.0}))
    assert found.verdict == "identical"
    assert found.changed == 0
    assert not found.broken_promise
    assert list(values) == ["top1", "BOPs (G)"]
    assert values["BOPs (G)"].committed == pytest.approx(0.8)


def test_one_other_sample_is_not_identical_even_with_the_same_accuracy():
    other = make_record("minmax", right=_right(100, start=1), environment=HERE)
    found, values = _held(_record(), other)
    assert values["top1"].measured == values["top1"].committed == 90.0
    assert (found.verdict, found.changed) == ("reproduced", 2)
    assert found.broken_promise


def test_no_promise_is_broken_on_another_machine():
    found, _ = _held(_record(), _record(101, environment=HERE.model_copy(update={"cpu": "B"})))
    assert not found.identical
    assert not found.broken_promise


def test_the_floor_is_the_tolerance():
    committed, measured = _record(), _record(102)  # 0.2 points
    assert _held(committed, measured, tolerance=0.2)[0].verdict == "reproduced"
    found, values = _held(committed, measured, tolerance=0.0)
    # The two samples that changed: a standard error of sqrt(2) / 1000, in points.
    assert values["top1"].band == pytest.approx(3 * 100 * (2 * 998 / 1000 / 999) ** 0.5 / 1000**0.5, rel=1e-6)
    assert values["top1"].because == "3 s.e. of 1000 samples"
    assert found.verdict == "reproduced"


def test_samples_that_all_change_for_the_worse_leave_the_band():
    found, values = _held(_record(), _record(120), tolerance=0.5)
    assert values["top1"].band < 2.0
    assert found.verdict == "not reproduced"


def test_the_band_over_seeds():
    history = [_record(100, 0), _record(110, 1), _record(130, 2)]
    found, values = _held(history[0], _record(140), history)
    assert values["top1"].because == "3 sd of 3 seeds"
    assert values["top1"].band == pytest.approx(3 * stdev([90.0, 89.0, 87.0]))
    assert found.verdict == "reproduced"
    assert _held(history[0], _record(150), history)[0].verdict == "not reproduced"


def test_seeds_that_agree_leave_the_floor():
    history = [_record(100, 0), _record(100, 1)]
    _, values = _held(history[0], _record(104), history, tolerance=0.3)
    assert (values["top1"].band, values["top1"].because) == (0.3, "floor")
    assert not values["top1"].inside


@pytest.mark.parametrize("other", [{"bits": "8/8"}, {"model": "swin"}, {"fingerprint": "d1"}, {"calibration_size": 8},
                                   {"configuration": {"ema": True}}, {"failed": "NaN"}])
def test_only_seeds_of_the_same_cell_count(other):
    stranger = make_record("minmax", **{"bits": "4/4", "seed": 1, "right": _right(500), **other})
    _, values = _held(_record(), _record(101), [_record(), stranger])
    assert values["top1"].because == "floor"


def test_metrics_beside_the_main_one_are_held_too():
    fields = {"main_metric": "top1", "metrics_beside": ("top5",)}
    committed = _record(metrics={"top1": 90.0, "top5": 99.0, "loss": 1.0}, **fields)
    measured = _record(metrics={"top1": 90.0, "top5": 97.0, "loss": 5.0}, **fields)
    found, values = _held(committed, measured)
    assert set(values) == {"top1", "top5", "BOPs (G)"}
    assert found.verdict == "not reproduced"


def test_bit_operations_may_move_by_one_percent():
    def costing(bops):
        return _record(costs=Costs(macs=1, bops={"plain": bops}, parameters=1))
    assert _held(costing(1e9), costing(1.009e9))[0].verdict == "reproduced"
    assert _held(costing(1e9), costing(1.011e9))[0].verdict == "not reproduced"


def test_a_failure_is_a_failure():
    found, values = _held(_record(), make_record("minmax", failed="NaN", environment=HERE))
    assert found.verdict == "failed"
    assert values == {}


def test_a_metric_that_is_no_mean_has_the_floor():
    committed = _record(metrics={"AP": 40.0}, main_metric="AP")
    found, values = _held(committed, _record(metrics={"AP": 40.4}, main_metric="AP"))
    assert (values["AP"].band, values["AP"].because) == (0.5, "floor")
    assert found.verdict == "reproduced"


@pytest.mark.parametrize(("changed", "where", "text"), [
    ({"commit": "def"}, "code", "commit: abc -> def"),
    ({"commit": ""}, "code", "commit: abc -> unknown"),
    ({"harness": "0.2.0"}, "code", "harness: 0.1.0 -> 0.2.0"),
    ({"python": "3.12.1"}, "dependencies", "python: 3.11.9 -> 3.12.1"),
    ({"packages": {"torch": "2.5.0", "timm": "1.0"}}, "dependencies", "torch: 2.4.0 -> 2.5.0"),
    ({"packages": {"torch": "2.4.0"}}, "dependencies", "timm: 1.0 -> none"),
    ({"packages": {"torch": "2.4.0", "timm": "1.0", "new": "1"}}, "dependencies", "new: none -> 1"),
    ({"platform": "Darwin"}, "hardware", "platform: Linux -> Darwin"),
    ({"cpu": "B"}, "hardware", "cpu: A -> B"),
    ({"isa": ("AVX2", "AMX")}, "hardware", "isa: AVX2 -> AVX2, AMX"),
    ({"threads": 8}, "hardware", "threads: 1 -> 8"),
    ({"device": "NVIDIA"}, "hardware", "device: cpu -> NVIDIA")])
def test_what_differs_between_environments(changed, where, text):
    found = environment_difference(HERE, HERE.model_copy(update=changed))
    assert getattr(found, where) == (text,)
    assert sum(map(len, (found.code, found.dependencies, found.hardware))) == 1
    assert not found.none


def test_the_command_and_nothing_else_may_differ():
    assert environment_difference(HERE, HERE.model_copy(update={"command": ("harness", "run")})).none


@pytest.mark.parametrize("commit", ["", "abc-dirty"])
def test_of_uncommitted_code_nobody_knows_that_it_is_the_same(commit):
    environment = HERE.model_copy(update={"commit": commit})
    (text,) = environment_difference(environment, environment).code
    assert "does not say that the code is the same" in text
