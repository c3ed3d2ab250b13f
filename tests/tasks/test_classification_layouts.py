"""Every layout of the data, its fingerprint, and the message for everything that can be wrong with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_sets import csv_set, picture, write

from harness import DataError
from harness_tasks.classification.image_sets import IMAGE_SETS
from harness_tasks.classification.layouts import find_split

CIFAR10, CIFAR100, IMAGENET = IMAGE_SETS["cifar10"], IMAGE_SETS["cifar100"], IMAGE_SETS["imagenet"]


def tree(root: Path, classes: list[str], split: str = "val") -> Path:
    for number, name in enumerate(classes):
        write(root / split / name / f"{number}.JPEG", picture(number))
    return root


def table(count: int, *, struct: bool = True, label: str = "label", image: str = "image") -> pa.Table:
    pictures = [picture(number) for number in range(count)]
    column = [{"bytes": content, "path": None} for content in pictures] if struct else pictures
    return pa.table({image: column, label: [number % 10 for number in range(count)]})


# Class folders

def test_tree_of_class_folders_sorted_by_name(tmp_path: Path) -> None:
    names = [f"class_{letter}" for letter in "jihgfedcba"]
    split = find_split(tree(tmp_path, names), "evaluation", CIFAR10)
    assert split.names[0] == "class_a/9.JPEG"
    assert list(split.labels) == list(range(10))
    assert split.read(0) == picture(9)
    assert split.place(0) == str(tmp_path / "val" / "class_a" / "9.JPEG")


def test_folders_named_by_number_are_that_class(tmp_path: Path) -> None:
    split = find_split(tree(tmp_path, ["9", "2", "10"], "test"), "evaluation", CIFAR100)
    assert dict(zip(split.names, split.labels, strict=True)) == {"9/0.JPEG": 9, "2/1.JPEG": 2, "10/2.JPEG": 10}


def test_some_imagenet_classes_keep_their_index(tmp_path: Path) -> None:
    split = find_split(tree(tmp_path, ["n03888257", "n01440764", "n15075141"], "validation"), "evaluation", IMAGENET)
    assert list(zip(split.names, split.labels, strict=True)) == [
        ("n01440764/1.JPEG", 0), ("n03888257/0.JPEG", 701), ("n15075141/2.JPEG", 999)]


def test_too_few_folders_are_not_guessed(tmp_path: Path) -> None:
    tree(tmp_path, ["cat", "dog"])
    with pytest.raises(DataError, match=r"2 class folders, but CIFAR-10 has 10 classes") as caught:
        find_split(tmp_path, "evaluation", CIFAR10)
    assert "classes.tsv" in caught.value.remedy
    (tmp_path / "classes.tsv").write_text("index\tfolder\n3\tcat\n5\tdog\n")
    assert list(find_split(tmp_path, "evaluation", CIFAR10).labels) == [3, 5]
    (tmp_path / "classes.tsv").write_text("index\tfolder\n3\tcat\n")
    with pytest.raises(DataError, match="dog is not one of the 10 classes"):
        find_split(tmp_path, "evaluation", CIFAR10)
    (tmp_path / "classes.tsv").write_text("index\tfolder\n10\tcat\n")
    with pytest.raises(DataError, match=r"classes\.tsv line 2"):
        find_split(tmp_path, "evaluation", CIFAR10)


def test_hidden_and_other_files_are_no_pictures(tmp_path: Path) -> None:
    tree(tmp_path, [str(number) for number in range(10)])
    write(tmp_path / "val" / "3" / "._3.JPEG", b"")
    write(tmp_path / "val" / "3" / "notes.txt", b"")
    write(tmp_path / "val" / ".cache" / "x.png", b"")
    write(tmp_path / "val" / "3" / "deeper" / "x.png", picture(1))
    split = find_split(tmp_path, "evaluation", CIFAR10)
    assert len(split.names) == 11
    assert split.labels[split.names.index("3/deeper/x.png")] == 3


# csv files

def test_csv_beside_a_folder(tmp_path: Path) -> None:
    csv_set(tmp_path)
    assert list(find_split(tmp_path, "train", CIFAR10).labels) == [0, 1, 2, 3, 4, 5]
    split = find_split(tmp_path, "evaluation", CIFAR10)
    assert list(split.names) == ["0.png", "1.png", "2.png", "3.png"]
    assert split.read(2) == picture(2)


def test_image_folder_with_metadata(tmp_path: Path) -> None:
    write(tmp_path / "test" / "a.png", picture(0))
    (tmp_path / "test" / "metadata.csv").write_text("file_name,label\na.png,7\n")
    assert list(find_split(tmp_path, "evaluation", CIFAR10).labels) == [7]


@pytest.mark.parametrize(("text", "message"), [
    ("name,label\n0.png,1\n", r"columns name, label"),
    ("", r"columns \(none\)"),
    ("file,label\n0.png,10\n", r"val\.csv line 2: label '10' is not an index from 0 to 9"),
    ("file,label\n0.png,-1\n", r"label '-1'"),
    ("file,label\n0.png,cat\n", r"label 'cat'"),
    ("file,label\n0.png\n", r"label ''"),
    ("file,label\n0.png,1\nlost.png,1\n", r"val\.csv line 3 names 'lost\.png', which is not in"),
    ("file,label\n,1\n", r"names '', which is not in"),
    ("file,label\n0.png,1\n0.png,2\n", r"names '0\.png' a second time"),
    ("file,label\n", r"holds no pictures"),
    ("file,label\n\x00\xff", r"val\.csv"),
])
def test_wrong_csv(tmp_path: Path, text: str, message: str) -> None:
    csv_set(tmp_path)
    (tmp_path / "val.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        find_split(tmp_path, "evaluation", CIFAR10)


def test_csv_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("file,label\n0.png,1\n")
    with pytest.raises(DataError, match="there is no folder"):
        find_split(tmp_path, "evaluation", CIFAR10)


# Tables

@pytest.mark.parametrize("struct", [True, False])
def test_parquet_over_files_and_row_groups(tmp_path: Path, struct: bool) -> None:
    whole = table(23, struct=struct)
    (tmp_path / "data").mkdir()
    pq.write_table(whole.slice(0, 12), tmp_path / "data" / "test-00000-of-00002.parquet", row_group_size=5)
    pq.write_table(whole.slice(12), tmp_path / "data" / "test-00001-of-00002.parquet", row_group_size=4)
    split = find_split(tmp_path, "evaluation", CIFAR10)
    assert len(split.names) == len(set(split.names)) == 23
    for index in (22, 0, 4, 5, 11, 12, 15, 16):
        assert split.read(index) == picture(index)
        assert split.labels[index] == index % 10
    assert split.place(12).endswith("test-00001-of-00002.parquet row 0")


def test_saved_to_disk(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    whole = table(7, image="img", label="labels")
    for number, part in enumerate((whole.slice(0, 3), whole.slice(3))):
        with pa.OSFile(str(tmp_path / "train" / f"data-0000{number}-of-00002.arrow"), "wb") as sink, \
                pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_table(part)
    split = find_split(tmp_path, "train", CIFAR10)
    assert [split.read(index) for index in range(7)] == [picture(index) for index in range(7)]


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    both = table(3, label="coarse_label").append_column("fine_label", pa.array([50, 99, 0]))
    pq.write_table(both, tmp_path / "test.parquet")
    assert list(find_split(tmp_path, "evaluation", CIFAR100).labels) == [50, 99, 0]


def test_wrong_tables(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    pq.write_table(table(3, image="pixels"), path)
    with pytest.raises(DataError, match="columns pixels, label"):
        find_split(tmp_path, "evaluation", CIFAR10)
    pq.write_table(pa.table({"image": [picture(0)], "label": [10]}), path)
    with pytest.raises(DataError, match="row 0: label 10 is not an index from 0 to 9"):
        find_split(tmp_path, "evaluation", CIFAR10)
    pq.write_table(table(3).slice(0, 0), path)
    with pytest.raises(DataError, match="holds no pictures"):
        find_split(tmp_path, "evaluation", CIFAR10)
    path.write_bytes(b"garbage")
    with pytest.raises(DataError, match="cannot be read"):
        find_split(tmp_path, "evaluation", CIFAR10)
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "x.png"}], "label": [1]}), path)
    with pytest.raises(DataError, match="row 0 holds no picture bytes"):
        find_split(tmp_path, "evaluation", CIFAR10).read(0)


# Fingerprints

def test_fingerprint_follows_names_sizes_and_labels_only(tmp_path: Path) -> None:
    def fingerprint(root: Path) -> str:
        return find_split(root, "evaluation", CIFAR10).fingerprint

    first = csv_set(tmp_path / "a")
    original = fingerprint(first)
    assert fingerprint(csv_set(tmp_path / "elsewhere")) == original

    shutil.copytree(first, renamed := tmp_path / "renamed")
    (renamed / "val").rename(renamed / "validation")
    (renamed / "val.csv").rename(renamed / "validation.csv")
    assert fingerprint(renamed) == original

    lines = (first / "val.csv").read_text().splitlines()
    (first / "val.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    assert fingerprint(first) == original, "the order of the lines does not matter"
    assert list(find_split(first, "evaluation", CIFAR10).names) == ["0.png", "1.png", "2.png", "3.png"]

    (first / "val.csv").write_text("\n".join(lines).replace("3.png,3", "3.png,4"))
    assert fingerprint(first) != original, "a label"
    (first / "val.csv").write_text("\n".join(lines[:-1]))
    assert fingerprint(first) != original, "a picture less"
    (first / "val.csv").write_text("\n".join(lines).replace("3.png", "x.png"))
    (first / "val" / "3.png").rename(first / "val" / "x.png")
    assert fingerprint(first) != original, "a name"
    (first / "val.csv").write_text("\n".join(lines))
    write(first / "val" / "3.png", picture(3) + b" ")
    assert fingerprint(first) != original, "a size"
    write(first / "val" / "3.png", picture(3))
    assert fingerprint(first) == original


def test_stamp_also_follows_the_time_of_change(tmp_path: Path) -> None:
    before = find_split(csv_set(tmp_path), "evaluation", CIFAR10)
    os.utime(tmp_path / "val" / "0.png", ns=(1, 1))
    after = find_split(tmp_path, "evaluation", CIFAR10)
    assert after.fingerprint == before.fingerprint
    assert after.stamp != before.stamp


def test_fingerprint_of_tables(tmp_path: Path) -> None:
    pq.write_table(table(6), tmp_path / "test.parquet")
    original = find_split(tmp_path, "evaluation", CIFAR10).fingerprint
    assert find_split(tmp_path, "evaluation", CIFAR10).fingerprint == original
    other = table(6).set_column(1, "label", pa.array([0, 1, 2, 3, 5, 4]))
    pq.write_table(other, tmp_path / "test.parquet")
    assert find_split(tmp_path, "evaluation", CIFAR10).fingerprint != original


# Nothing there

def test_messages_name_what_was_looked_for_and_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no evaluation split of CIFAR-10 in .*looked for val/") as caught:
        find_split(tmp_path, "evaluation", CIFAR10)
    assert "val.csv" in caught.value.remedy
    assert "Parquet" in caught.value.remedy
    with pytest.raises(DataError, match="never from the evaluation split"):
        find_split(tmp_path, "train", CIFAR10)
    (tmp_path / "val").mkdir()
    write(tmp_path / "val" / "0.png", picture(0))
    with pytest.raises(DataError, match="no evaluation split"):
        find_split(tmp_path, "evaluation", CIFAR10)
