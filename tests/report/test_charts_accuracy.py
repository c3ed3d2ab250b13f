"""Accuracy against costs and against bits: the numbers in the specification are those of the records."""

from __future__ import annotations

import pytest
from made_charts import charted, rows, text
from made_records import make_record, make_reference

from harness.report.charts import CHARTS

ABLATIONS = {"qvit": {"w/o heads": {"heads": False}}}
RECORDS = [
    make_reference(),
    charted("minmax", "4/4", 0, right=(1, 0, 0, 0), bops=2e9, size=3e6, timings={"calibrate": 2.0, "evaluate": 50.0}),
    charted("minmax", "4/4", 1, right=(1, 1, 1, 0), bops=2e9, size=3e6, timings={"calibrate": 4.0}),
    charted("minmax", "8/8", 0, right=(1, 1, 1, 1), bops=8e9, size=6e6, timings={"calibrate": 3.0}),
    charted("qvit", "4/4", 0, budget="1ep", right=(1, 1, 1, 0), bops=3e9, size=4e6,
            timings={"allocate": 1.0, "calibrate": 2.0, "train": 60.0}),
    charted("qvit", "4/4", 0, budget="1ep", options={"heads": False}, right=(1, 1, 0, 0), bops=3e9, size=4e6,
            timings={"calibrate": 2.0, "train": 30.0}),
    make_record("omse", "4/4", failed="no"),
]


def _charts(kind, records=RECORDS, **given):
    return list(CHARTS[kind].build(records, ablations=ABLATIONS, **given))


@pytest.mark.parametrize(("kind", "costs"), [
    ("accuracy-bops", {("minmax", "4/4"): 2.0, ("minmax", "8/8"): 8.0, ("qvit, 1ep", "4/4"): 3.0,
                       ("qvit:w/o heads, 1ep", "4/4"): 3.0}),
    ("accuracy-size", {("minmax", "4/4"): 3.0, ("minmax", "8/8"): 6.0, ("qvit, 1ep", "4/4"): 4.0,
                       ("qvit:w/o heads, 1ep", "4/4"): 4.0}),
])
def test_values_are_those_of_the_records(kind, costs):
    (chart,) = _charts(kind)
    found = rows(chart, "own")
    assert {(row["label"], row["bits"]): row["cost"] for row in found} == costs
    values = {(row["label"], row["bits"]): row["value"] for row in found}
    assert values == {("minmax", "4/4"): 50.0, ("minmax", "8/8"): 100.0, ("qvit, 1ep", "4/4"): 75.0,
                      ("qvit:w/o heads, 1ep", "4/4"): 50.0}
    assert {row["label"]: row["own"] for row in found} == {
        "minmax": True, "qvit, 1ep": True, "qvit:w/o heads, 1ep": False}
    mean = next(row for row in found if row["label"] == "minmax" and row["bits"] == "4/4")
    assert (mean["seeds"], mean["deviation over seeds"]) == (2, 35.355)


def test_the_stepped_line_is_the_front():
    (chart,) = _charts("accuracy-bops")
    (layer,) = [layer for layer in chart.to_dict()["layer"] if layer["mark"].get("interpolate") == "step-after"]
    data = layer["data"]
    values = data["values"] if "values" in data else chart.to_dict()["datasets"][data["name"]]
    assert [(row["cost"], row["value"]) for row in values[:-1]] == [(2.0, 50.0), (3.0, 75.0), (8.0, 100.0)]
    assert values[-1]["value"] == 100.0
    assert values[-1]["cost"] > 8.0


def test_the_front_is_named():
    (chart,) = _charts("accuracy-bops")
    names = {(row["cost"], row["value"]): row["text"] for row in rows(chart, "cost", "value", "text")
             if "own" not in row and "full" not in row["text"]}
    assert names == {(2.0, 50.0): "minmax  4/4", (3.0, 75.0): "qvit, 1ep  4/4", (8.0, 100.0): "minmax  8/8"}


def test_time_is_that_of_making_and_each_bit_width_has_a_chart():
    four, eight = _charts("accuracy-time")
    assert {row["label"]: row["cost"] for row in rows(four, "own")} == {
        "minmax": 3.0, "qvit, 1ep": 63.0, "qvit:w/o heads, 1ep": 32.0}
    assert {row["label"]: row["cost"] for row in rows(eight, "own")} == {"minmax": 3.0}
    assert four.name.endswith("-4-4")
    assert eight.title.endswith("at 8/8")


def test_another_convention_counts_otherwise():
    record = charted("minmax", right=(1, 0))
    record = record.model_copy(update={"costs": record.costs.model_copy(update={"bops": {"plain": 1e9, "qvit": 7e9}})})
    (chart,) = _charts("accuracy-bops", [record], convention="qvit")
    assert [row["cost"] for row in rows(chart, "own")] == [7.0]
    assert _charts("accuracy-bops", [record], convention="ptqvit") == []


def test_accuracy_against_bits_has_deviations_over_seeds():
    (chart,) = _charts("accuracy-bits")
    found = {(row["label"], row["bits"]): row for row in rows(chart, "low")}
    assert set(found) == {("minmax", "4/4"), ("minmax", "8/8"), ("qvit, 1ep", "4/4")}
    mean = found["minmax", "4/4"]
    assert (mean["value"], mean["low"], mean["high"]) == pytest.approx((50.0, 50 - 35.35534, 50 + 35.35534))
    alone = found["minmax", "8/8"]
    assert alone["low"] == alone["value"] == alone["high"] == 100.0
    assert round(found["minmax", "4/4"]["at"]) == 0
    assert round(alone["at"]) == 1


def test_a_variant_with_more_bit_widths_is_drawn_too():
    options = {"heads": False}
    records = [charted("qvit", "4/4"), charted("qvit", "4/4", options=options), charted("qvit", "8/8", options=options),
               charted("qvit", "4/4", options={"heads": True})]
    (chart,) = _charts("accuracy-bits", records)
    assert {row["label"] for row in rows(chart, "low")} == {"qvit", "qvit:w/o heads"}
    assert {row["text"] for row in rows(chart, "text")} == {"qvit", "qvit:w/o heads"}  # they share a look


def test_full_precision_is_a_line_with_its_figure():
    for kind in ("accuracy-bops", "accuracy-bits"):
        (chart,) = _charts(kind)
        assert "full precision 100.00" in text(chart)
        (without,) = _charts(kind, RECORDS[1:])
        assert "full precision" not in text(without)


def test_methods_differ_in_shape_or_filling_without_colour():
    methods = [f"m{number}" for number in range(9)]
    records = [charted(method, budget=budget) for method in methods for budget in ("", "1ep")]
    records = [record.model_copy(update={"asked": record.asked.model_copy(
        update={"method": record.asked.method + record.asked.budget})}) for record in records]
    (chart,) = _charts("accuracy-bops", records)
    (marks,) = [layer for layer in chart.to_dict()["layer"] if "shape" in layer["encoding"]]
    shapes, fills = (marks["encoding"][channel]["scale"]["range"] for channel in ("shape", "fill"))
    looks = {(shape, fill == "#FFFFFF") for shape, fill in zip(shapes, fills, strict=True)}
    assert len(looks) == len(methods) * 2


def test_a_method_looks_the_same_in_every_section():
    records = [charted("minmax"), charted("omse"), charted("omse", model="swin_mini")]
    both, alone = sorted(_charts("accuracy-bops", records), key=lambda chart: -len(chart.identities))

    def look(chart):
        (marks,) = [layer for layer in chart.to_dict()["layer"] if "shape" in layer["encoding"]]
        scales = {channel: marks["encoding"][channel]["scale"] for channel in ("stroke", "shape", "fill")}
        return {name: dict(zip(scale["domain"], scale["range"], strict=True)) for name, scale in scales.items()}
    for channel, of_method in look(alone).items():
        assert of_method == {"omse": look(both)[channel]["omse"]}


def test_titles_say_task_model_scale_and_calibration():
    (chart,) = _charts("accuracy-bops")
    title = chart.to_dict()["title"]
    assert chart.title == title["text"] == "imagenet, vit_mini: top1 against bit-operations"
    assert "MINI scale. 32 calibration samples." in title["subtitle"][0]
    noticed = [make_record(notice="MINI scale: digits; figures compare methods. Give --data FOLDER.")]
    assert _charts("accuracy-bops", noticed)[0].to_dict()["title"]["subtitle"][0].startswith(
        "MINI scale: digits; figures compare methods. 32 calibration samples.")


def test_sections_are_never_mixed_and_names_are_unique():
    records = [charted("minmax"), charted("minmax", fingerprint="other"), charted("minmax", task="cifar10")]
    charts = _charts("accuracy-bops", records)
    assert [len(rows(chart, "own")) for chart in charts] == [1, 1, 1]
    assert len({chart.name for chart in charts}) == 3
    assert [chart.scope.task for chart in charts] == ["cifar10", "imagenet", "imagenet"]


def test_names_of_long_rows_are_short_and_differ():
    records = [charted("qvit", bits, options={"search": "x" * 300, "number": number},
                       coverage={"quantized": [{"site": f"b.{block}.fc1.weight", "bits": block + 2, "role": "fc1",
                                                "block": block, "granularity": "tensor"} for block in (0, 1)]})
               for number in (0, 1) for bits in ("4/4", "8/8")]
    names = [chart.name for chart in _charts("allocation", records)]
    assert len(set(names)) == 4
    assert all(len(name) <= 160 for name in names)


def test_identities_are_of_what_is_drawn():
    (chart,) = _charts("accuracy-bits")
    assert set(chart.identities) == {record.identity for record in RECORDS[1:5]}
