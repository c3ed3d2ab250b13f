"""Tables: never mixed, ranked by what the samples can tell, and the same bytes for the same records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import DataError
from harness.options import parse_assignments
from harness.results.options_text import as_settings
from harness.results.published import PublishedRow
from harness.results.record import Environment, Record
from harness.results.tables.ranking import Comparison, difference
from harness.results.tables.sections import require_same_scope
from harness.results.tables.table import Section, build

Make = Callable[..., Record]


def rights(*counts: int, of: int = 400) -> list[list[int]]:
    """For each count, that many right answers: the first ones, so that methods err on the same samples."""
    return [[1] * count + [0] * (of - count) for count in counts]


def published_row(**changes: Any) -> PublishedRow:
    return PublishedRow(**{"task": "imagenet", "dataset": "ImageNet", "model": "vit_mini", "method": "igqvit",
                           "bits": "4/4", "metric": "top1", "value": 55.29, "table": "Table 2", "source": "Moon 2024",
                           **changes})


@pytest.fixture(name="records")
def _records(make_record: Make, make_reference: Make) -> list[Record]:
    """Two methods with two seeds, one with a failed seed, one that failed, at two bit-widths, and the reference."""
    a, b, c, d, e, full = rights(300, 304, 250, 254, 340, 380)
    return [
        make_reference(full, published=95.1, gate="passed"),
        make_record("igqvit", "4/4", 0, right=a, options={"g": 12}), make_record("igqvit", "4/4", 1, right=b,
                                                                                options={"g": 12}),
        make_record("minmax", "4/4", 0, right=c), make_record("minmax", "4/4", 1, right=d),
        make_record("igqvit", "8/8", 0, right=e, options={"g": 12}),
        make_record("igqvit", "8/8", 1, failed="NaN or infinity\nin calibration", options={"g": 12}),
        make_record("omse", "4/4", 0, failed="a | b")]


def only(records: list[Record], **arguments: Any) -> Section:
    """The one section of a table."""
    (section,) = build(records, arguments.pop("published", ()), "imagenet", **arguments).sections
    return section


def test_a_section(records: list[Record]) -> None:
    section = only(records)
    assert section.heading == "MINI scale: vit_mini, 32 calibration samples"
    assert section.bits == ("4/4", "8/8")
    assert [row.label for row in section.rows] == ["igqvit (g=12)", "minmax", "omse"]
    assert section.reference is not None
    assert section.reference.value == 95.0
    cell = section.rows[0].cells["4/4"]
    assert (cell.value, cell.seeds, cell.rank, cell.tied) == (75.5, (0, 1), 1, False)
    assert cell.sd == pytest.approx(0.5 * 2**0.5)
    assert cell.drop == 19.5
    assert (cell.bops, cell.size) == (8e8, 8e6)
    other = section.rows[1].cells["4/4"]
    assert (other.rank, other.compared_with) == (2, "igqvit (g=12)")
    assert other.difference is not None
    assert other.difference.value == pytest.approx(-12.5)
    assert section.rows[0].cells["8/8"].failed == (1,)


def test_failures_are_said_with_their_reason(records: list[Record]) -> None:
    remarks = only(records).remarks
    assert any(remark.startswith("failed: igqvit 8/8, seed 1") and
               remark.endswith("calibrate: NaN or infinity in calibration") for remark in remarks)


@pytest.mark.parametrize(("field", "one", "other", "word"), [
    ("scale", "mini", "full", "scale (full, mini)"), ("model", "vit", "deit", "model (deit, vit)"),
    ("fingerprint", "d0", "d1", "data fingerprint (d0, d1)"), ("weights_hash", "w0", "w1", "weights (w0, w1)"),
    ("calibration_size", 32, 128, "calibration size (128, 32)"),
    ("evaluation_limit", None, 100, "evaluation limit (100, all)")])
def test_never_mixed(make_record: Make, make_reference: Make, field: str, one: Any, other: Any, word: str) -> None:
    """Each difference in what is compared makes a section of its own, and the table says so."""
    records = [make_record("a", **{field: one}), make_record("b", **{field: other})]
    if field != "calibration_size":
        records += [make_reference(**{field: one})]
    table = build(records, (), "imagenet")
    assert sorted(row.label for section in table.sections for row in section.rows) == ["a", "b"]
    assert [len(section.rows) for section in table.sections] == [1, 1]
    assert len({section.heading for section in table.sections}) == 2
    assert word in table.remarks[0]
    assert all(cell.difference is None for section in table.sections for row in section.rows
               for cell in row.cells.values())
    if field != "calibration_size":
        assert sum(section.reference is not None for section in table.sections) == 1
    with pytest.raises(DataError, match="do not compare"):
        require_same_scope(records[0], records[1])
    with pytest.raises(DataError, match="do not compare"):
        difference([records[0]], [records[1]])


def test_the_reference_joins_every_calibration_size(make_record: Make, make_reference: Make) -> None:
    records = [make_reference(), make_record(calibration_size=32), make_record(calibration_size=128)]
    sections = build(records, (), "imagenet").sections
    assert [section.scope.calibration_size for section in sections] == [32, 128]
    assert [section.reference is not None for section in sections] == [True, True]


def test_a_reference_alone(make_reference: Make) -> None:
    section = only([make_reference()])
    assert section.heading == "MINI scale: vit_mini"
    assert section.reference is not None
    assert (section.reference.value, section.rows, section.bits) == (100.0, (), ())


def test_other_tasks_are_left_out(make_record: Make) -> None:
    assert build([make_record(task="coco")], (), "imagenet").sections == ()


def test_ties_share_a_rank(make_record: Make) -> None:
    """1 of 400 apart is a tie, 40 of 400 is not; the third method ties with the second, not with the first."""
    records = [make_record(name, right=right) for name, right in
               zip("abcd", rights(360, 359, 320, 319), strict=True)]
    cells = {row.label: row.cells["4/4"] for row in only(records).rows}
    assert {label: (cell.rank, cell.tied) for label, cell in cells.items()} == {
        "a": (1, True), "b": (1, True), "c": (3, True), "d": (3, True)}


def test_without_samples_only_equal_figures_tie(make_record: Make) -> None:
    records = [make_record(name, metrics={"AP": value}, main_metric="AP", per_sample=None)
               for name, value in (("a", 40.0), ("b", 40.0), ("c", 39.9))]
    assert [(row.cells["4/4"].rank, row.cells["4/4"].difference) for row in only(records).rows] == [
        (1, None), (1, None), (3, None)]
    assert only(records).gaps == {}


def test_a_metric_that_its_samples_do_not_make_is_not_paired(make_record: Make) -> None:
    one, other = (make_record(name, metrics={"F1": 81.0}, main_metric="F1") for name in "ab")
    assert difference([one], [other]) is None


def test_a_metric_that_is_the_plain_mean(make_record: Make) -> None:
    one, other = (make_record(name, right=right, metrics={"R": sum(right) / 4}, main_metric="R")
                  for name, right in (("a", [0.5, 1, 1, 1]), ("b", [0.5, 0, 1, 1])))
    found = difference([one], [other])
    assert found is not None
    assert found.value == 0.25


def test_a_baseline(records: list[Record]) -> None:
    table = build(records, (), "imagenet", baseline="minmax")
    cell = table.sections[0].rows[0].cells["4/4"]
    assert cell.compared_with == "minmax"
    assert cell.difference is not None
    assert cell.difference.value == pytest.approx(12.5)
    assert table.sections[0].rows[0].cells["8/8"].compared_with == "igqvit (g=12)"
    missing = build(records, (), "imagenet", baseline="nobody")
    assert "no row 'nobody'" in missing.remarks[0]


def test_the_gate(make_record: Make, make_reference: Make) -> None:
    flagged = only([make_record(), make_reference(published=103.0, gate="flagged")])
    assert any(remark.startswith("FLAGGED") and "(-3.00)" in remark for remark in flagged.remarks)
    passed = only([make_record(), make_reference(published=100.1, gate="passed")])
    assert "FLAGGED" not in str(passed.remarks)
    unknown = only([make_record(), make_reference()])
    assert any("could not be checked" in remark for remark in unknown.remarks)
    assert any("drops are unknown" in remark for remark in only([make_record()]).remarks)


def test_the_same_words_with_other_options_are_other_rows(make_record: Make) -> None:
    """Defaults changed between two seeds: their mean would be of nothing."""
    records = [make_record(seed=0, configuration={"clip": 0.1}), make_record(seed=1, configuration={"clip": 0.2})]
    rows = only(records).rows
    assert len(rows) == 2
    assert all("[options " in row.label and len(row.cells["4/4"].seeds) == 1 for row in rows)


def test_options_that_follow_the_bits_stay_one_row(make_record: Make) -> None:
    records = [make_record(bits=bits, configuration={"clip": clip}) for bits, clip in (("4/4", 0.1), ("8/8", 0.2))]
    assert [row.label for row in only(records).rows] == ["minmax"]


def test_versions_that_differ_are_said(make_record: Make) -> None:
    newer = Environment(harness="0.2.0", python="3.12.1", packages={"torch": "2.5.0"})
    remarks = only([make_record(seed=0), make_record(seed=1, environment=newer)]).remarks
    assert "Measured with different versions of harness: 0.1.0, 0.2.0." in remarks
    assert "Measured with different versions of torch: 2.4.0, 2.5.0." in remarks


def test_two_records_of_one_run_are_an_error(make_record: Make) -> None:
    one = make_record(right=[1, 0])
    assert len(only([one, one]).rows) == 1
    with pytest.raises(DataError, match=one.identity):
        build([one, make_record(right=[1, 1])], (), "imagenet")


def test_metrics_beside_the_main_one(make_record: Make) -> None:
    """A column for each, means over seeds; an older record without them leaves its cell empty."""
    beside = {"main_metric": "box_ap", "metrics_beside": ("mask_ap",), "per_sample": None}
    records = [make_record("a", seed=seed, metrics={"box_ap": 40.0, "mask_ap": mask, "box_ap50": 60.0}, **beside)
               for seed, mask in ((0, 30.0), (1, 31.0))]
    records.append(make_record("old", metrics={"box_ap": 39.0, "mask_ap": 29.0}, main_metric="box_ap", per_sample=None))
    table = build(records, [], "imagenet")
    (section,) = table.sections
    assert section.beside == ("mask_ap",)
    assert {row.label: dict(row.cells["4/4"].beside) for row in section.rows} == {"a": {"mask_ap": 30.5}, "old": {}}


def test_published_figures_are_those_of_the_model(records: list[Record]) -> None:
    rows = [published_row(), published_row(model="other"), published_row(task="coco")]
    assert only(records, published=rows).published == (rows[0],)


def test_a_published_figure_is_beside_its_method_and_bits_only(make_record: Make, make_reference: Make) -> None:
    """Not beside the method with other options, nor another method, bits or metric; 6MP stands beside 6/6."""
    ablations = {"igqvit": {"coarse": {"group": 2}}}
    records = [make_reference(), make_record("igqvit"), make_record("minmax"), make_record("igqvit", "6/6"),
               make_record("igqvit", options={"group": 2}, configuration={"group": 2}),
               make_record("igqvit", options={"group": 3}, configuration={"group": 3})]
    rows = [published_row(value=1.0), published_row(value=2.0, metric="top5"), published_row(value=None, table="T"),
            published_row(value=3.0, bits="6MP/6MP"), published_row(value=4.0, method="igqvit:coarse"),
            published_row(value=5.0, method="full_precision", bits="32/32")]
    section = only(records, published=rows, ablations=ablations)
    found = {(row.label, bits): [figure.value for figure in cell.published]
             for row in section.rows for bits, cell in row.cells.items()}
    assert found == {("igqvit", "4/4"): [1.0], ("igqvit", "6/6"): [3.0], ("igqvit:coarse", "4/4"): [4.0],
                     ("igqvit (group=3)", "4/4"): [], ("minmax", "4/4"): []}
    assert section.reference is not None
    assert [figure.value for figure in section.reference.published] == [5.0]
    assert [row.ablation for row in section.rows if row.label == "igqvit:coarse"] == ["coarse"]


def test_what_a_method_took(make_record: Make) -> None:
    """Its own phases only, mean over seeds; of memory the most; speed is that of the simulated evaluation."""
    records = [make_record(seed=seed, peak_memory=memory, timings={
        "build": 100.0, "place": 1.0, "calibrate": seconds, "train": 10.0, "evaluate": 2.0, "cost": 50.0})
        for seed, seconds, memory in ((0, 2.0, 500), (1, 4.0, 400))]
    cell = only(records).rows[0].cells["4/4"]
    assert (cell.seconds, cell.memory, cell.speed) == (14.0, 500, 2.0)
    untimed = only([make_record()]).rows[0].cells["4/4"]
    assert (untimed.seconds, untimed.memory, untimed.speed) == (None, None, None)


def test_the_smallest_gap_is_said(records: list[Record]) -> None:
    section = only(records)
    methods = {method: [record for record in records if record.asked.method == method and record.asked.bits == "4/4"]
               for method in ("igqvit", "minmax")}
    assert section.gaps == {"4/4": Comparison(methods).smallest_gap()}
    assert f"Smallest gap between two rows that this table can resolve: {section.gaps['4/4']:.2f} at 4/4." \
        in section.remarks


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(lambda name: name not in ("name", "options"))
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(NAMES, VALUES, min_size=1,
                                                                                    max_size=3), max_size=4))
@example({"word": "nan", "other": "NaN", "yes": "true", "date": "1979-05-27", "empty": {}})
def test_settings_are_read_back_by_the_command_line(options: dict[str, Any]) -> None:
    assert parse_assignments(as_settings(options, "m")) == ({"m": options} if options else {})


def test_settings_of_a_component() -> None:
    options = {"search": {"name": "minmax", "options": {"bins": 10}}, "g": 12}
    assert as_settings(options) == ["g=12", "search=minmax", "search.bins=10"]


def test_a_row_is_called_by_the_name_of_its_ablation(make_record: Make) -> None:
    ablations = {"minmax": {"as printed": {}, "coarse": {"group": 2, "search": {"bins": 5}}}}
    records = [make_record(), make_record(options={"search": {"bins": 5}, "group": 2}, configuration={"group": 2}),
               make_record(options={"group": 3}, configuration={"group": 3})]
    (section,) = build(records, (), "imagenet", ablations=ablations).sections
    assert {row.label for row in section.rows} == {"minmax", "minmax:coarse", "minmax (group=3)"}


@pytest.mark.parametrize("options", [{"only": ["q"]}, {"leave_out": ["ffn"]}, {"head_probe": {"block": 0}}])
def test_a_probe_of_a_part_is_shown_and_not_ranked(options: dict[str, Any], make_record: Make,
                                                   make_reference: Make) -> None:
    whole, other, part, full = rights(300, 200, 390, 395)
    members = [make_reference(full), make_record("a", right=whole), make_record("b", right=other),
               make_record("a", right=part, options=options, configuration=options)]
    (section,) = build(members, [], "imagenet").sections
    found = [(row.label.split()[0], cell.rank, cell.drop, cell.difference is None) for row, cell in section.cells()]
    assert found == [("a", 1, 23.75, True), ("b", 2, 48.75, False), ("a", None, 1.25, True)]
    assert [bool(row.options) for row in section.rows] == [False, False, True]
    assert any("probes" in remark for remark in section.remarks)
    (without,) = build(members[:3], [], "imagenet").sections
    assert section.gaps == without.gaps
    assert not any("probes" in remark for remark in without.remarks)
