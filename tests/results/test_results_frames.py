"""Records as pandas frames, and what is exported read back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_records import make_record, make_reference

from harness import DataError
from harness.results import load
from harness.results.record import Reference
from harness.results.storage.store import Store

COVERAGE = {"quantized": [{"site": "fc.weight", "role": "fc1", "block": 0, "bits": 4, "groups": 1, "dynamic": False,
                           "quantizer": "uniform", "granularity": "tensor"},
                          {"site": "fc.input", "role": "fc1", "block": None, "bits": [2, 4, 6], "groups": 3,
                           "dynamic": True, "quantizer": "uniform", "granularity": "channel", "expansion": 1.5}],
            "full_precision": ["conv.weight"], "not_run": ["query"], "outside_sites": [], "macs_outside_sites": 0}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    store = Store(tmp_path)
    records = [make_record("igqvit", "4/8", 3, timings={"calibrate": 1.5}, peak_memory=7, coverage=COVERAGE,
                           options={"g": 13}, reference=Reference(identity="0" * 12, value=90.0, gate="passed")),
               make_record("omse", "1/2/8", failed="NaN in attention"), make_reference(),
               make_record(task="glue-rte", metrics={"top1": 75.0, "f1": 80.0})]
    for record in records:
        store.put(record)
    return tmp_path


def test_a_line_a_record(folder: Path) -> None:
    frame = load(folder).records.set_index("method")
    assert len(frame) == 4
    assert frame["identity"].is_unique
    row = frame.loc["igqvit"]
    expected = {"task": "imagenet", "label": "igqvit (g=13)", "bits": "4/8", "weight_bits": 4, "activation_bits": 8,
                "seed": 3, "status": "ok", "metric": "top1", "value": 75.0, "full_precision": 90.0, "drop": 15.0,
                "gate": "passed", "bops.plain": 1.2e9, "size.plain": 1.2e7, "seconds.calibrate": 1.5, "macs": 1000,
                "peak_memory": 7, "torch": "2.4.0", "calibration_size": 32}
    assert {name: row[name] for name in expected} == expected
    failed = frame.loc["omse"]
    assert failed[["status", "failure", "embedding_bits"]].tolist() == ["failed", "calibrate: NaN in attention", 8]
    assert failed[["value", "drop", "bops.plain", "peak_memory", "evaluation_limit"]].isna().all()


def test_a_line_a_metric_and_a_line_a_site(folder: Path) -> None:
    frames = load(folder)
    metrics = frames.metrics.merge(frames.records[["identity", "task"]], on="identity")
    assert metrics[metrics["task"] == "glue-rte"][["metric", "value", "main"]].to_dict("list") == {
        "metric": ["f1", "top1"], "value": [80.0, 75.0], "main": [False, True]}
    sites = frames.sites.set_index("site")
    assert sites["state"].to_dict() == {"fc.weight": "quantized", "fc.input": "quantized",
                                        "conv.weight": "full_precision", "query": "not_run"}
    assert sites.loc["fc.input", ["bits", "lowest_bits", "highest_bits", "groups", "expansion"]].tolist() == [
        4.0, 2.0, 6.0, 3, 1.5]
    assert sites.loc["fc.weight", "bits"] == 4.0


def test_filters(folder: Path) -> None:
    assert load(folder, task="glue-rte").records["method"].tolist() == ["minmax"]
    assert set(load(folder, method=["omse", "igqvit"]).records["method"]) == {"omse", "igqvit"}
    assert set(load(str(folder), bits="32/32").metrics["value"]) == {100.0}


def test_no_records_are_frames_with_the_same_columns(folder: Path) -> None:
    some, none = load(folder), load(folder, task="nothing")
    for name in ("records", "metrics", "sites"):
        frame = getattr(none, name)
        assert len(frame) == 0
        known = getattr(some, name).dtypes[frame.columns]
        assert frame.dtypes.to_dict() == known.to_dict()


def test_what_is_left_out_is_warned_of(folder: Path) -> None:
    bad = next((folder / "records" / "glue-rte").iterdir())
    bad.write_text("{")
    with pytest.warns(UserWarning, match=bad.name):
        frames = load(folder)
    assert len(frames.records) == 3
    assert [item.path for item in frames.unreadable] == [bad]
    with pytest.raises(DataError, match=r"no records in .*nowhere"):
        load(folder / "nowhere")


def test_parquet_gives_the_frames_back(folder: Path, tmp_path: Path) -> None:
    frames = load(folder)
    for name in ("records", "metrics", "sites"):
        frame = getattr(frames, name)
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{name}.parquet"), frame)
