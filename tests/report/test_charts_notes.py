"""Charts of what a record says beside its metrics: allocation, sensitivity, training, oscillation, weights."""

from __future__ import annotations

import pytest
from made_charts import charted, rows, text
from made_records import make_reference

from harness.report.charts import CHARTS
from harness.report.charts.allocation_map import cells, columns, is_mixed


def _site(site, bits, role, block, granularity="tensor"):
    return {"site": site, "bits": bits, "role": role, "block": block, "granularity": granularity, "groups": 1,
            "quantizer": "uniform", "dynamic": False}


QUANTIZED = [
    _site("stem.weight", 8, "patch_embed", None),
    _site("b.0.qkv.weight", [2, 3, 4, 5, 6, 7], "qkv", 0, "module_head"),
    _site("b.0.scores.query", [2, 4], "query", 0, "head"),
    _site("b.0.fc1.weight", 4, "fc1", 0),
    _site("b.1.qkv.weight", 3, "qkv", 1, "module_head"),
    _site("b.1.fc1.weight", 5, "fc1", 1),
    _site("b.1.extra.fc1.weight", 6, "fc1", 1),
    _site("head.weight", 8, "head", None)]


def _coverage(quantized):
    return {"quantized": quantized, "full_precision": [], "not_run": [], "quantized_macs_share": 1.0}


def _build(kind, records, **given):
    return list(CHARTS[kind].build(records, **given))


def test_cells_of_a_coverage():
    found = {(cell.row, cell.column, cell.head, cell.site): (cell.start, cell.end, cell.bits)
             for cell in cells(QUANTIZED)}
    assert found == {
        ("patch_embed weight", "stem", None, "stem.weight"): (0, 1, 8),
        ("q weight", "0", 0, "b.0.qkv.weight"): (0, 0.5, 2), ("q weight", "0", 1, "b.0.qkv.weight"): (0.5, 1, 3),
        ("k weight", "0", 0, "b.0.qkv.weight"): (0, 0.5, 4), ("k weight", "0", 1, "b.0.qkv.weight"): (0.5, 1, 5),
        ("v weight", "0", 0, "b.0.qkv.weight"): (0, 0.5, 6), ("v weight", "0", 1, "b.0.qkv.weight"): (0.5, 1, 7),
        ("query", "0", 0, "b.0.scores.query"): (0, 0.5, 2), ("query", "0", 1, "b.0.scores.query"): (0.5, 1, 4),
        ("fc1 weight", "0", None, "b.0.fc1.weight"): (0, 1, 4),
        ("q weight", "1", None, "b.1.qkv.weight"): (0, 1, 3), ("k weight", "1", None, "b.1.qkv.weight"): (0, 1, 3),
        ("v weight", "1", None, "b.1.qkv.weight"): (0, 1, 3),
        ("fc1 weight", "1", None, "b.1.fc1.weight"): (0, 0.5, 5),
        ("fc1 weight", "1", None, "b.1.extra.fc1.weight"): (0.5, 1, 6),
        ("head weight", "end", None, "head.weight"): (0, 1, 8)}
    assert columns(cells(QUANTIZED)) == ["stem", "0", "1", "end"]


def test_columns_are_in_the_order_of_numbers():
    sites = [_site(f"b.{block}.fc1.weight", 4, "fc1", block) for block in range(12)]
    assert columns(cells(sites)) == [str(block) for block in range(12)]


def test_a_first_layer_at_other_bits_is_no_allocation():
    sites = [_site("a.weight", 8, "conv", None), _site("b.0.weight", 4, "conv", 0), _site("b.1.weight", 4, "conv", 1)]
    assert not is_mixed(cells(sites))
    assert is_mixed(cells([*sites, _site("b.2.weight", 3, "conv", 2)]))


def test_allocation_draws_every_cell_and_the_means():
    plain = charted("minmax", coverage=_coverage([_site("b.0.fc1.weight", 4, "fc1", 0)]))
    mixed = charted("qvit", budget="1ep", coverage=_coverage(QUANTIZED))
    (chart,) = _build("allocation", [make_reference(), plain, mixed])
    assert chart.identities == (mixed.identity,)
    assert sorted(row["bits"] for row in rows(chart, "site")) == sorted(
        cell.bits for cell in cells(QUANTIZED))
    assert {row["row"]: row["text"] for row in rows(chart, "row", "text") if "site" not in row} == {
        "patch_embed weight": "8.00", "q weight": "2.75", "k weight": "3.75", "v weight": "4.75", "query": "3.00",
        "fc1 weight": "4.75", "head weight": "8.00"}


def _sensitive(**given):
    records = [charted("variation", "2/2", budget="1ep", right=(1, 1, 0, 0), options={"losses": ["task"]}, **given)]
    records += [charted("variation", "2/2", seed, budget="1ep", right=right,
                        options={"losses": ["task"], "leave_out": ["ffn"]}, **given)
                for seed, right in enumerate([(1, 1, 1, 0), (1, 1, 1, 1)])]
    records += [charted("variation", "2/2", budget="1ep", right=(1, 0, 0, 0),
                        options={"losses": ["task"], "only": ["q", "k"]}, **given)]
    return records


def test_sensitivity_by_part():
    unrelated = charted("variation", "2/2", budget="1ep", right=(0, 0, 0, 1))
    (chart,) = _build("sensitivity", [make_reference(), unrelated, *_sensitive()])
    found = {row["part"]: row for row in rows(chart, "part", "from")}
    assert {part: row["value"] for part, row in found.items()} == {"all": 50.0, "all but ffn": 87.5, "only q+k": 25.0}
    assert {row["from"] for row in found.values()} == {50.0}
    assert found["all but ffn"]["text"] == "87.50  (+37.50)"
    assert found["only q+k"]["text"] == "25.00  (-25.00)"
    assert found["all but ffn"]["high"] - found["all but ffn"]["value"] == pytest.approx(17.67767)
    assert "full precision 100.00" in text(chart)
    assert '"x2": {"field": "from"}' in text(chart)


def test_sensitivity_without_the_whole_draws_no_differences():
    (chart,) = _build("sensitivity", _sensitive()[1:])
    assert {row["text"] for row in rows(chart, "part", "from")} == {"87.50", "25.00"}


@pytest.mark.parametrize("kind", ["accuracy-bits", "accuracy-bops"])
def test_probes_are_in_charts_of_sensitivity_alone(kind):
    assert [text(chart) for chart in _build(kind, [make_reference(), *_sensitive()])] == [
        text(chart) for chart in _build(kind, [make_reference(), *_sensitive()[:1]])]


def test_sensitivity_by_head():
    records = [charted("variation", "8/8", right=right, budget="1ep", options={"head_probe": probe})
               for probe, right in (({"block": 0, "head": 0, "bits": 2}, (1, 1, 1, 0)),
                                    ({"block": 1, "head": 2, "bits": 2}, (1, 0, 0, 0)))]
    (chart,) = _build("sensitivity", [make_reference(), *records])
    assert {(row["block"], row["head"]): row["loss"] for row in rows(chart, "block")} == {(0, 0): 25.0, (1, 2): 75.0}
    assert "One head at 2 bits, all else at 8/8." in text(chart)
    (without,) = _build("sensitivity", records)
    assert {(row["block"], row["head"]): row["text"] for row in rows(without, "block")} == {
        (0, 0): "75.00", (1, 2): "25.00"}


def _trained(*stages, seed=0, method="lsq", **given):
    notes = {"training": [{"stage": name, "steps": steps, "loss": loss} for name, steps, loss in stages]}
    return charted(method, "4/4", seed, budget="1ep", notes=notes, **given)


def test_training_curves_are_means_over_seeds_stage_after_stage():
    records = [_trained(("a", 10, [4.0, 2.0]), ("b", 4, [8.0, 6.0]), seed=0),
               _trained(("a", 10, [6.0, 4.0]), ("b", 4, [8.0, 4.0]), seed=1), charted("minmax")]
    (chart,) = _build("training", records)
    assert [(row["stage"], row["step"], row["loss"]) for row in rows(chart, "loss")] == [
        ("a", 5, 5.0), ("a", 10, 3.0), ("b", 12, 8.0), ("b", 14, 5.0)]
    assert set(chart.identities) == {record.identity for record in records[:2]}
    assert [row for row in rows(chart, "step") if "loss" not in row] == [{"step": 10}]


def test_curves_of_different_lengths_have_no_mean():
    assert _build("training", [_trained(("a", 10, [4.0, 2.0]), seed=0), _trained(("a", 20, [6.0, 4.0]), seed=1)]) == []


def test_oscillation_is_the_mean_over_the_seeds_that_say_so():
    def made(seed, share, **given):
        stage = {"steps": 2, "loss": [1.0, 1.0]}
        return charted("variation", "2/2", seed, budget="1ep", notes={"training": [
            {"stage": "first", **stage, "oscillation_percent": {"fc1": 99.0}},
            {"stage": "last", **stage, "oscillation_percent": share}]}, **given)
    records = [made(0, {"fc1": 1.0, "qkv": 3.0}), made(1, {"fc1": 2.0, "qkv": 5.0, "modules": 4.0}),
               made(0, {"fc1": 0.25}, options={"losses": ["kd"]}), charted("minmax", "2/2")]
    (chart,) = _build("oscillation", records)
    assert {(row["label"], row["role"]): row["percent"] for row in rows(chart, "percent")} == {
        ("variation, 1ep", "fc1"): 1.5, ("variation, 1ep", "qkv"): 4.0, ("variation, 1ep", "modules"): 4.0,
        ("variation (losses=[kd]), 1ep", "fc1"): 0.25}
    assert chart.name.endswith("-2-2")


def test_weights_lie_in_cells_between_thresholds():
    histogram = {"low": -3, "cells": 2, "before": [0, 1, 2, 4, 2, 1, 0, 0, 0, 0],
                 "after": [0, 0, 0, 5, 5, 0, 0, 0, 0, 0]}
    record = charted("variation", "2/2", budget="1ep", notes={"training": [
        {"stage": "train", "steps": 2, "loss": [1.0], "weight_bins": {"b.1.proj.weight": histogram}}]})
    (chart,) = _build("weights", [record, charted("lsq", "2/2", budget="1ep")])
    after = [row for row in rows(chart, "weights") if row["when"] == "after" and row["weights"]]
    assert [(row["start"], row["end"], row["share"]) for row in after] == [(-1.5, -1.0, 50.0), (-1.0, -0.5, 50.0)]
    assert sum(row["share"] for row in rows(chart, "weights") if row["when"] == "before") == pytest.approx(100)
    thresholds = [row["start"] for row in rows(chart, "start") if "share" not in row]
    assert thresholds == [-1.5, -0.5, 0.5]


def test_plain_records_have_none_of_these():
    for kind in ("allocation", "sensitivity", "training", "oscillation", "weights"):
        assert _build(kind, [make_reference(), charted("minmax"), charted("lsq", budget="1ep")]) == []
