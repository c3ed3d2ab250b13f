"""``explain``: everything in a record, in words."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.results.explain import command, explain
from harness.results.record import Record

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(name="record")
def _record() -> Record:
    return Record.from_json((GOLDEN / "record-v1.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", [
    "igqvit 4/4 on imagenet (vit_mini, mini scale), seed 0: ok", "MINI scale: a small model on drawn digits",
    "identity-of-record", "fingerprint: d0", "weights_hash: w0", "iterations: 300", "top1: 75", "drop: 25.00",
    "gate: passed; published 100.20 (-0.20, tolerance 0.2)", "split: train", "ids: a, b",
    "site                      role  quantizer       bits           granularity  groups  dynamic",
    "blocks.0.attn.qkv.input   qkv   InstanceGroups  4|8 (3 slots)  instance     3       True",
    "full_precision: pos_embed.weight", "quantized_macs_share: 0.98", "bit-operations, plain: 0.800 G",
    "size, plain: 8.000 MB", "blocks.0.attn.qkv: 12", "calibrate: 2.25", "peak memory: 118 MiB", "torch: 2.4.0",
    "isa: AVX2", "created: 2025-01-02T03:04:05+00:00"])
def test_says(record: Record, words: str) -> None:
    assert (record.identity if words == "identity-of-record" else words) in explain(record)


def test_a_failure(make_record: Callable[..., Record]) -> None:
    text = explain(make_record(failed="NaN in calibration"))
    assert "seed 0: failed" in text
    assert "reason: NaN in calibration" in text
    assert "remedy: Use fewer bits" in text
    assert "Metrics" not in text


def test_the_command_repeats_the_run(record: Record, make_reference: Callable[..., Record]) -> None:
    assert shlex.split(command(record)) == [
        "harness", "run", "--methods", "igqvit", "--task", "imagenet", "--scale", "mini", "--model", "vit_mini",
        "--bits", "4/4", "--seeds", "0", "--calibration", "32", "--set", "igqvit.g=12", "--force"]
    limited = make_reference(evaluation_limit=10)
    assert "--limit 10" in command(limited)
    assert "--bits" not in command(limited)


def test_full_scale_data_are_named_by_their_fingerprints(record: Record) -> None:
    assert "fingerprints d0 and w0" in explain(record)
