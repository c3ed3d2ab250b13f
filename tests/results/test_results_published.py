"""The files of published figures: their format, what is refused, and all that are in the tree."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.errors import DataError
from harness.registry import registry
from harness.results.published import COLUMNS, FLAGS, PublishedRow, read_published

HEAD = ",".join(COLUMNS) + "\n"
KNOWN = registry()
SPECS = [spec for spec in (*KNOWN.methods.values(), *KNOWN.tasks.values()) if spec.published]
#: Rows of methods that the harness does not have; all others name a method and, after a colon, an ablation of it.
PEERS = {
    "GPUSQ-ViT", "Li et al. 2022a", "PackQViT", "adalog", "aphq_vit", "apqvit", "bebert", "bibert", "binarybert",
    "dopq_vit", "erq", "fima_q", "fqvit", "is_vit", "ptq4vit", "qdrop", "rebnn", "repqvit", "sgbert", "uniform"}


def line(**changes: str) -> str:
    cells = {"task": "imagenet", "dataset": "ImageNet", "model": "ViT-T", "method": "igqvit", "bits": "4/4",
             "metric": "top1", "value": "55.29", "source": "", "table": "Table 2", "column": "ViT-T", "protocol": "",
             "flags": "", "note": "", **changes}
    return ",".join(f'"{cells[name]}"' for name in COLUMNS) + "\n"


def test_a_row() -> None:
    text = HEAD + line() + line(bits="6MP/6MP", value="1", source="Another", flags="damaged, inconsistent", note="a, b")
    first, second = read_published(text, "the paper")
    assert first == PublishedRow("imagenet", "ImageNet", "ViT-T", "igqvit", "4/4", "top1", 55.29, "the paper",
                                 "Table 2", "ViT-T")
    assert (second.source, second.flags, second.note) == ("Another", ("damaged", "inconsistent"), "a, b")
    assert (first.nominal_bits, second.nominal_bits) == ("4/4", "6/6")
    assert read_published("", "nothing") == []


def test_no_value_needs_a_flag_and_a_flag_its_reason() -> None:
    (row,) = read_published(HEAD + line(value="", flags="missing", note="not at hand"), "p")
    assert row.value is None
    for wrong, message in ((line(value=""), "no value, and no flag"),
                           (line(flags="damaged"), "flagged damaged, and no reason")):
        with pytest.raises(DataError, match=rf"published.csv of p, line 2: {message}"):
            read_published(HEAD + wrong, "p")


@pytest.mark.parametrize(("text", "message"), [
    ("a,b\n1,2\n", "has the columns"), (HEAD + "imagenet,x\n", f"line 2: not {len(COLUMNS)} values"),
    (HEAD + line().rstrip() + ",more\n", f"line 2: not {len(COLUMNS)} values"), (HEAD + '"', "line"),
    (HEAD + line(value="high"), "line 2: the value 'high'"), (HEAD + line(value="nan"), "line 2: the value 'nan'"),
    (HEAD + line(bits="4"), "line 2: the bits '4'"), (HEAD + line(bits="4/4/x"), "line 2: the bits"),
    (HEAD + line(flags="wrong", note="n"), "line 2: the flags 'wrong'"), (HEAD + line(table=""), "line 2: task, model"),
    (HEAD + line() + line(value="2"), "line 3: the same cell a second time")])
def test_damaged_files(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_published(text, "p")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_files_of_the_tree(spec) -> None:  # type: ignore[no-untyped-def]
    rows = read_published(KNOWN.published(spec), spec.name)
    assert rows
    named = set()
    for row in rows:
        assert row.task in KNOWN.tasks or row.task in KNOWN.suites, row
        assert set(row.flags) <= set(FLAGS)
        assert row.column, row
        method, _, ablation = row.method.partition(":")
        method = method.partition(" (")[0] if method not in PEERS else method
        named.add(method)
        if method in KNOWN.methods:
            assert not ablation or ablation in KNOWN.methods[method].ablations, row
    assert named - {"full_precision", *KNOWN.methods} <= PEERS


def test_every_paper_has_one_file() -> None:
    """Counted from the papers' tables: rows times columns, less the cells that they leave empty."""
    counts = {spec.name: Counter(row.table for row in read_published(KNOWN.published(spec), spec.name) if not row.source
                                 or row.source == spec.name) for spec in SPECS}
    assert counts == {
        "igqvit": {"Table 2": 9 + 2 * (8 + 8 + 7 + 5 * 9), "Table 3": 8, "Table A": 4},
        "ptqvit": {"Table 1": 2 * 53, "Table 2": 2 * 11, "Table 3": 2 * 9, "Table 4": 3 * 2},
        "quantformer": {"Table 1": 18, "Table 2": 20, "Table 3": 30, "Table 4": 30, "Table 5": 156, "Table 6": 9},
        "qvit": {"Table 1": 27, "Table 2": 24, "Table 3a": 12, "Table 3b": 12, "Table 3c": 8, "Section 3.2": 2},
        "variation": {"Table 1": 42, "Table 2": 5, "Table 3": 80, "Table 4": 53, "Table 5": 14, "Table 6": 24,
                      "Table 7": 15, "Table 8": 4, "Table 9": 21, "Table 12": 6, "Table 13": 4, "Table 15": 4},
        "imagenet": {},
    }
