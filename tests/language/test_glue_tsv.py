"""GLUE's original files: every task's columns, and the ways in which they are odd or damaged."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from glue_files import rows, tsv, write_tsv

from harness import DataError
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.layouts import find_splits

COLA, MNLI, MRPC, QQP, RTE, STSB, SST2 = (GLUE_TASKS[f"glue-{name}"] for name in
                                          ("cola", "mnli", "mrpc", "qqp", "rte", "stsb", "sst2"))


@pytest.mark.parametrize("name", GLUE_TASKS)
def test_every_task(tmp_path: Path, name: str) -> None:
    task = GLUE_TASKS[name]
    train, validation = find_splits(str(write_tsv(tmp_path, task)), task)
    for split, first in ((train, 0), *zip(validation, (100, 200), strict=False)):
        wanted = rows(task, len(split.rows), first)
        assert list(split.rows) == [{column: row[column] for column in task.columns} for row in wanted]
        assert list(split.labels) == [row["label"] for row in wanted]
    assert [split.name for split in validation] == list(task.validation_splits)
    assert train.ids[:2] == ["train/0", "train/1"]
    assert validation[0].ids[0] == f"{task.validation_splits[0]}/0"


@pytest.mark.parametrize("folder", ["SST-2", "sst2", "sst-2", "glue-sst2", "SST2"])
def test_folder_names(tmp_path: Path, folder: str) -> None:
    write_tsv(tmp_path, SST2)
    (tmp_path / "SST-2").rename(tmp_path / folder)
    assert len(find_splits(str(tmp_path), SST2)[0].rows) == 8
    assert len(find_splits(str(tmp_path / folder), SST2)[0].rows) == 8, "the task's own folder"


def test_quotes_and_odd_characters_are_text(tmp_path: Path) -> None:
    """As csv.QUOTE_NONE reads them; and nothing inside of a sentence ends its line (csv refuses a carriage return)."""
    write_tsv(tmp_path, RTE)
    lines = ['0\t"He said\tit\' s "" so\tentailment', "1\ta \x85 b\u2028c\rd\te\tnot_entailment"]
    (tmp_path / "RTE" / "dev.tsv").write_bytes(
        ("index\tsentence1\tsentence2\tlabel\r\n" + "\r\n".join(lines) + "\r\n").encode())
    [validation] = find_splits(str(tmp_path), RTE)[1]
    [first] = csv.reader(lines[:1], delimiter="\t", quoting=csv.QUOTE_NONE)
    assert [list(row.values()) for row in validation.rows] == [first[1:3], ["a \x85 b\u2028c\rd", "e"]]
    assert list(validation.labels) == [0, 1]


def test_mrpc_of_microsoft(tmp_path: Path) -> None:
    content = rows(MRPC, 6)
    (tmp_path / "msr_paraphrase_train.txt").write_text(tsv(MRPC, content), encoding="utf-8")
    with pytest.raises(DataError, match="train and validation pairs together"):
        find_splits(str(tmp_path), MRPC)
    (tmp_path / "dev_ids.tsv").write_text("1\t91\n4\t94\n")
    train, [validation] = find_splits(str(tmp_path), MRPC)
    assert [row["sentence1"] for row in validation.rows] == [content[1]["sentence1"], content[4]["sentence1"]]
    assert list(train.labels) == [content[place]["label"] for place in (0, 2, 3, 5)]


def test_a_few_lines_that_are_cut_short_are_left_out(tmp_path: Path) -> None:
    write_tsv(tmp_path, QQP)
    file = tmp_path / "QQP" / "train.tsv"
    file.write_text(file.read_text() + "77\t1\t2\thalf a line\n")
    train, _ = find_splits(str(tmp_path), QQP)
    assert (len(train.rows), train.skipped) == (8, 1)
    file.write_text(file.read_text() + "78\t1\n" * 4)
    with pytest.raises(DataError, match=r"5 of 13 lines of .* have too few columns"):
        find_splits(str(tmp_path), QQP)


def test_mnli_without_mismatched(tmp_path: Path) -> None:
    write_tsv(tmp_path, MNLI)
    (tmp_path / "MNLI" / "dev_mismatched.tsv").unlink()
    (tmp_path / "MNLI" / "dev_matched.tsv").rename(tmp_path / "MNLI" / "validation.tsv")
    _, [matched] = find_splits(str(tmp_path), MNLI)
    assert matched.name == "validation_matched"


@pytest.mark.parametrize(("label", "message"), [
    ("", "has no label"), ("-1", "has no label"), ("-", "has no label"), ("maybe", "has the label 'maybe'"),
    ("2", "has the label '2'"), ("0.5", "has the label '0.5'")])
def test_labels_that_are_none(tmp_path: Path, label: str, message: str) -> None:
    write_tsv(tmp_path, SST2)
    (tmp_path / "SST-2" / "dev.tsv").write_text(f"sentence\tlabel\nfine\t1\nodd\t{label}\n")
    with pytest.raises(DataError, match=f"dev.tsv, row 1 {message}"):
        find_splits(str(tmp_path), SST2)


@pytest.mark.parametrize("label", ["5.1", "-0.5", "much", "nan"])
def test_scores_that_are_none(tmp_path: Path, label: str) -> None:
    write_tsv(tmp_path, STSB)
    file = tmp_path / "STS-B" / "dev.tsv"
    file.write_text(file.read_text().rsplit("\t", 1)[0] + f"\t{label}\n")
    with pytest.raises(DataError, match="row 5 has the label") as error:
        find_splits(str(tmp_path), STSB)
    assert "a number from 0 to 5" in error.value.remedy


def test_files_without_labels_or_sentences(tmp_path: Path) -> None:
    write_tsv(tmp_path, RTE)
    file = tmp_path / "RTE" / "dev.tsv"
    file.write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    with pytest.raises(DataError, match="has no column 'label'") as error:
        find_splits(str(tmp_path), RTE)
    assert "GLUE's test splits have none" in error.value.remedy
    file.write_text("index\tpremise\tlabel\n")
    with pytest.raises(DataError, match="has no column 'sentence1'"):
        find_splits(str(tmp_path), RTE)
    file.write_text("index\tsentence1\tsentence2\tlabel\n")
    with pytest.raises(DataError, match="holds no sentences"):
        find_splits(str(tmp_path), RTE)
    file.write_bytes(b"index\tsentence1\tsentence2\tlabel\n0\t\xff\xfe\tb\t0\n")
    with pytest.raises(DataError, match="cannot be read"):
        find_splits(str(tmp_path), RTE)
    file.rename(file.with_name("test.tsv"))
    with pytest.raises(DataError, match=r"no validation split of RTE .*Its test split has no labels"):
        find_splits(str(tmp_path), RTE)


def test_cola_test_file_has_a_header_and_no_labels(tmp_path: Path) -> None:
    write_tsv(tmp_path, COLA)
    (tmp_path / "CoLA" / "dev.tsv").write_text("index\tsentence\n0\tThe dog sleeps\n")
    with pytest.raises(DataError, match="has no column 'label'"):
        find_splits(str(tmp_path), COLA)
