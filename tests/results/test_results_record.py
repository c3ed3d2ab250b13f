"""Records: round trip, deterministic text, validation, versions, damage."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from harness import StoreError
from harness.results import record as records
from harness.results.kept_samples import KeptSamples
from harness.results.migrations import SCHEMA_VERSION, migrate
from harness.results.plain import plain
from harness.results.record import DamagedRecordError, Record
from harness.results.samples import PerSample
from harness.results.statistics.resampling import estimate
from harness.results.statistics.weighted import WEIGHTED

Make = Callable[..., Record]
GOLDEN = Path(__file__).parent / "golden" / "record-v1.json"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "records.md"


def test_json_round_trip(make_record: Make) -> None:
    for record in (make_record(notes={"groups": {"blocks.0": 8}}), make_record(failed="NaN")):
        assert Record.from_json(record.to_json()) == record


def test_the_text_does_not_depend_on_the_order_of_what_was_given(make_record: Make) -> None:
    one = make_record(notes={"a": 1, "b": 2}, timings={"build": 1.0, "evaluate": 2.0})
    other = make_record(notes={"b": 2, "a": 1}, timings={"evaluate": 2.0, "build": 1.0})
    assert one.to_json() == other.to_json()
    assert one.to_json().endswith("}\n")


def test_golden_file_of_version_1() -> None:
    """A committed record of schema version 1 loads, and (being the present version) is written the same."""
    text = GOLDEN.read_text(encoding="utf-8")
    record = Record.from_json(text)
    assert (record.identity, record.asked.method, record.value) == (json.loads(text)["identity"], "igqvit", 75.0)
    assert record.per_sample is not None
    assert record.per_sample.unpack().tolist() == [1, 1, 0, 1]
    assert record.to_json() == text


def test_migration_goes_step_by_step() -> None:
    steps = {2: lambda data: {**data, "two": data["one"] + 1}, 3: lambda data: {"three": data["two"] + 1}}
    assert migrate({"schema_version": 1, "one": 1}, steps, 3) == {"three": 3, "schema_version": 3}
    assert migrate({"schema_version": 2, "two": 5}, steps, 3) == {"three": 6, "schema_version": 3}
    assert migrate({"schema_version": 3, "three": 7}, steps, 3) == {"three": 7, "schema_version": 3}


def test_there_is_a_step_to_every_version_after_the_first() -> None:
    from harness.results.migrations import STEPS

    assert sorted(STEPS) == list(range(2, SCHEMA_VERSION + 1))


def test_a_newer_record_is_refused_with_what_to_do(make_record: Make) -> None:
    newer = json.loads(make_record().to_json()) | {"schema_version": SCHEMA_VERSION + 1, "unheard_of": 1}
    with pytest.raises(StoreError, match=r"x\.json.*version 2; this harness reads up to 1(.|\n)*Upgrade") as caught:
        Record.from_json(json.dumps(newer), "x.json")
    assert not isinstance(caught.value, DamagedRecordError)


@pytest.mark.parametrize("version", [None, 0, "1", True, 1.5])
def test_a_version_that_is_none_is_damage(make_record: Make, version: object) -> None:
    data = json.loads(make_record().to_json()) | {"schema_version": version}
    with pytest.raises(DamagedRecordError, match="schema_version"):
        Record.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, b"\xff\xfe\x00", '{"schema_version": 1}'])
def test_damage_is_said_with_the_file(text: str | bytes) -> None:
    with pytest.raises(DamagedRecordError, match=r"x\.json: "):
        Record.from_json(text, "x.json")


def test_a_record_cut_anywhere_is_damage(make_record: Make) -> None:
    text = make_record().to_json()
    for end in range(len(text) - 1):
        if text[:end] != text.rstrip("\n"):
            with pytest.raises(DamagedRecordError):
                Record.from_json(text[:end])


def test_a_record_whose_question_was_changed_by_hand_is_damage(make_record: Make) -> None:
    data = json.loads(make_record().to_json())
    data["asked"]["bits"] = "8/8"
    with pytest.raises(DamagedRecordError, match="does not belong to what was asked"):
        Record.from_json(json.dumps(data))


@pytest.mark.parametrize("change", [
    {"metrics": {"top1": math.nan}}, {"metrics": {"top5": 1.0}}, {"status": "failed"}, {"unknown": 1},
    {"created": "yesterday"}, {"peak_memory": -1}, {"timings": {"build": -1.0}}])
def test_what_does_not_fit_is_refused(make_record: Make, change: dict[str, Any]) -> None:
    data = json.loads(make_record().to_json())
    with pytest.raises(ValidationError):
        Record.model_validate({**data, **change})


def test_frozen(make_record: Make) -> None:
    with pytest.raises(ValidationError):
        make_record().status = "failed"  # type: ignore[misc]


def test_notes_never_cost_the_run(make_record: Make) -> None:
    notes = {"array": np.arange(3), "number": np.float32(0.5), 7: (1, 2), "none": math.nan, "far": -math.inf,
             "path": Path("a"), "set": {2, 1}, "whole": np.int64(3), "yes": np.bool_(True)}
    assert make_record(notes=notes).notes == {
        "array": [0, 1, 2], "number": 0.5, "7": [1, 2], "none": "nan", "far": "-inf", "path": "a", "set": [1, 2],
        "whole": 3, "yes": True}


def test_two_keys_that_become_one_are_refused() -> None:
    with pytest.raises(ValueError, match="same text"):
        plain({1: "a", "1": "b"})


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40))
def test_bits_round_trip(values: list[float]) -> None:
    packed = PerSample.pack(values)
    assert packed is not None
    assert packed.encoding == "bits"
    assert packed.unpack().tolist() == values


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_floats_round_trip(values: list[float]) -> None:
    packed = PerSample.pack(values)
    assert packed is not None
    assert packed.unpack().tolist() == values


def test_bits_are_an_eighth_of_a_byte() -> None:
    packed = PerSample.pack([1.0] * 50_000)
    assert packed is not None
    assert len(packed.raw) == 6_250


def test_per_sample_checks() -> None:
    assert PerSample.pack([]) is None
    with pytest.raises(ValueError, match="not finite"):
        PerSample.pack([0.5, math.nan])
    with pytest.raises(ValidationError, match="2 expected for 9 samples"):
        KeptSamples(n=9, encoding="bits", data="AA==")
    with pytest.raises(ValidationError, match="base64"):
        KeptSamples(n=8, encoding="bits", data="A!")


COLUMNS = {
    "mean": [0.5, 1.0, 0.0], "accuracy": {"answer": [0, 1, 2], "label": [0, 1, 1]},
    "matthews": {"answer": [0, 1, 1], "label": [0, 1, 0]}, "f1": {"answer": [0] * 9, "label": [1] * 9},
    "spearman": {"answer": [0.25, 1, -2], "label": [0, 1, 4]}, "pearson": {"answer": [0.25, 1, -2], "label": [0, 1, 4]},
    "average_precision": {"objects": np.array([[1, 0], [2, 1]]), "category": np.array([0, 0, 1]),
                          "picture": np.array([1, 0, 1]), "hit": np.array([1023, 0, 7]), "ignored": np.zeros(3, int)}}


@pytest.mark.parametrize("statistic", WEIGHTED)
def test_columns_round_trip(make_record: Make, statistic: str) -> None:
    """Through a record's file, and with the same bytes every time."""
    given = COLUMNS[statistic]
    packed = PerSample.pack(given, statistic)
    assert packed is not None
    text = make_record(per_sample=packed).to_json()
    read = Record.from_json(text).per_sample
    assert read == packed == PerSample.pack(given, statistic)
    found = packed.columns()
    for name, column in (given if isinstance(given, dict) else {"value": given}).items():
        assert found[name].tolist() == np.asarray(column).tolist()
    assert packed.n == len(next(iter(found.values())))
    assert ('"statistic"' in text) == (statistic != "mean")


def test_packed_values() -> None:
    """Also of answers and labels, and of values that are 0 or 1 in another encoding."""
    assert packed_values([1.0, 0.0]) == packed_values({"answer": [1, 2], "label": [1, 3]}, "accuracy") == b"\x80"
    assert packed_values([0.5, 1.0]) is None


def packed_values(given: Any, statistic: str = "mean") -> bytes | None:
    samples = PerSample.pack(given, statistic)
    assert samples is not None
    return samples.packed()


def test_reading_as_another_metric() -> None:
    packed = PerSample.pack(COLUMNS["matthews"], "accuracy")
    assert packed is not None
    assert estimate(packed) == 2 / 3
    other = packed.read_as("f1")
    assert other is not None
    assert other.packed() is None
    assert packed.read_as("mean") is None
    assert packed.read_as("mask_ap") is None
    with pytest.raises(ValueError, match="not the mean"):
        other.unpack()


@pytest.mark.parametrize(("given", "statistic", "message"), [
    ([1.0], "bleu", "unknown per-sample statistic 'bleu'"), ([1.0], "f1", "f1 needs the columns answer, label"),
    ({"answer": [1], "label": [1, 0]}, "f1", "not all of one number a sample"),
    ({"answer": [1], "label": [math.inf]}, "spearman", "not finite")])
def test_columns_that_are_not_the_statistics(given: Any, statistic: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PerSample.pack(given, statistic)


def test_damaged_columns(make_record: Make) -> None:
    packed = PerSample.pack(COLUMNS["average_precision"], "average_precision")
    assert packed is not None
    data = json.loads(make_record(per_sample=packed).to_json())
    cut = data["per_sample"]["data"][:80]
    for change, message in (({"data": cut}, "do not hold objects"), ({"n": 3}, "2 samples .* 3 exp"),
                            ({"encoding": "bits"}, "not kept as bits"), ({"statistic": "x"}, "unknown")):
        changed = {**data, "per_sample": data["per_sample"] | change}
        with pytest.raises(DamagedRecordError, match=message):
            Record.from_json(json.dumps(changed))


def test_no_byte_of_compressed_columns_changes_unseen() -> None:
    packed = PerSample.pack(COLUMNS["average_precision"], "average_precision")
    assert packed is not None
    raw = packed.raw
    for place in range(len(raw)):
        data = base64.b64encode(raw[:place] + bytes([raw[place] ^ 5]) + raw[place + 1:]).decode()
        with pytest.raises(ValidationError, match="do not hold"):
            KeptSamples(n=packed.n, encoding="zlib", data=data, statistic="average_precision")


def parts(model: type[BaseModel]) -> set[str]:
    """Names of the fields of a record and of its parts."""
    names = set(model.model_fields) | set(model.model_computed_fields)
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= parts(kind)
    return names


def test_every_field_is_documented() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    fields = parts(records.Record) | parts(KeptSamples)
    assert fields - documented == set()
    assert documented - fields == set(), "documented, but no field of a record"


def test_reading_records_needs_no_torch() -> None:
    code = ("import sys, pkgutil, importlib, harness.results as r\n"
            "for m in pkgutil.iter_modules(r.__path__): importlib.import_module(f'harness.results.{m.name}')\n"
            "print([n for n in ('torch', 'numpy', 'pandas', 'scipy') if n in sys.modules])")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
