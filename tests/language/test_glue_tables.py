"""Hugging Face's forms hold the same sentences as GLUE's own files, and give the same fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from glue_files import rows, write_tsv

from harness import DataError
from harness_tasks.language.glue_tasks import GLUE_TASKS, GlueTask
from harness_tasks.language.layouts import find_splits

MNLI, RTE, STSB = (GLUE_TASKS[f"glue-{name}"] for name in ("mnli", "rte", "stsb"))


def contents(task: GlueTask) -> dict[str, list[dict[str, Any]]]:
    return {"train": rows(task, 8), **{name: rows(task, 6, 100 * (part + 1))
                                       for part, name in enumerate(task.validation_splits)}}


def write_parquet(folder: Path, task: GlueTask) -> None:
    folder.mkdir(parents=True)
    for name, content in contents(task).items():
        for part, piece in enumerate((content[:4], content[4:])):
            table = pa.Table.from_pylist(piece)
            if task.regression:  # as the hub has it: 0.7 is not 0.7 any more
                place = table.column_names.index("label")
                table = table.set_column(place, "label", table["label"].cast(pa.float32()))
            pq.write_table(table, folder / f"{name}-{part:05}-of-00002.parquet")


def write_saved(folder: Path, task: GlueTask) -> None:
    saved = {name: datasets.Dataset.from_list(content) for name, content in contents(task).items()}
    datasets.DatasetDict(saved).save_to_disk(folder, num_shards=dict.fromkeys(saved, 2))


def fingerprints(place: Path, task: GlueTask) -> list[str]:
    train, validation = find_splits(str(place), task)
    return [split.fingerprint for split in (train, *validation)]


@pytest.mark.parametrize("task", [MNLI, RTE, STSB], ids=lambda task: task.config)
def test_all_forms_are_the_same_data(tmp_path: Path, task: GlueTask, monkeypatch: pytest.MonkeyPatch) -> None:
    original = fingerprints(write_tsv(tmp_path / "tsv", task), task)
    assert len(set(original)) == len(original) == 1 + len(task.validation_splits)
    write_parquet(tmp_path / "parquet" / task.config, task)
    assert fingerprints(tmp_path / "parquet", task) == original
    write_parquet(tmp_path / "nested" / "data", task)
    assert fingerprints(tmp_path / "nested", task) == original
    write_saved(tmp_path / "saved" / task.config, task)
    assert fingerprints(tmp_path / "saved", task) == original

    asked = []

    def load_dataset(repository: str, config: str, split: str) -> datasets.Dataset:
        asked.append((repository, config, split))
        return datasets.Dataset.from_list(contents(task)[split])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    train, validation = find_splits("hub", task)
    assert [split.fingerprint for split in (train, *validation)] == original
    assert asked == [("nyu-mll/glue", task.config, name) for name in ("train", *task.validation_splits)]


def test_fingerprint_sees_every_change(tmp_path: Path) -> None:
    before = fingerprints(write_tsv(tmp_path, RTE), RTE)
    file = tmp_path / "RTE" / "dev.tsv"
    text = file.read_text()
    first, second = text.splitlines()[1:3]
    for changed in (text.replace("good", "fine", 1), text.replace("\tentailment", "\tnot_entailment", 1),
                    text.replace(f"{first}\n{second}", f"{second}\n{first}"), text[:text.rindex("105")]):
        file.write_text(changed)
        after = fingerprints(tmp_path, RTE)
        assert after[0] == before[0]
        assert after[1] != before[1], changed


def test_bad_tables(tmp_path: Path) -> None:
    write_parquet(tmp_path / "rte", RTE)
    file = tmp_path / "rte" / "validation-00000-of-00002.parquet"
    unlabelled = [{**row, "label": -1} for row in rows(RTE, 3)]
    for content, message in (
            (unlabelled, "row 0 has no label"),
            ([{"sentence1": "a", "sentence2": "b"}], "row 0 has no label"),
            ([{"text": "a", "label": 0}], "has no column 'sentence1'")):
        pq.write_table(pa.Table.from_pylist(content), file)
        with pytest.raises(DataError, match=message):
            find_splits(str(tmp_path), RTE)
    file.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        find_splits(str(tmp_path), RTE)


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("no network\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match=r"nyu-mll/glue \(rte, train\) cannot be had from the hub: no network\n  Check"):
        find_splits("hub", RTE)


def test_no_text_is_an_empty_sentence(tmp_path: Path) -> None:
    write_parquet(tmp_path / "rte", RTE)
    pq.write_table(pa.Table.from_pylist([{"sentence1": None, "sentence2": "b", "label": 1}]),
                   tmp_path / "rte" / "validation-00000-of-00002.parquet")
    [validation] = find_splits(str(tmp_path), RTE)[1]
    assert validation.rows[0] == {"sentence1": "", "sentence2": "b"}
