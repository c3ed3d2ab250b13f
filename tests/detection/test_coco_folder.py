"""Every layout of COCO, its fingerprint, and the message for everything that can be wrong with it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_sets import coco_set, content, write

from harness import DataError
from harness_tasks.detection import annotation_file
from harness_tasks.detection.coco_folder import check_disjoint, find_split

DATA = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "coco-mini"

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


# Layouts

@pytest.mark.parametrize(("year", "images", "folder"), [
    ("2017", "{split}2017", "val2017"), ("2017", "images/{split}2017", "images/val2017"), ("", "images", "images")])
def test_layouts(tmp_path: Path, year: str, images: str, folder: str) -> None:
    coco_set(tmp_path, year=year, images=images)
    split = find_split(tmp_path, "val")
    assert split.annotations == tmp_path / "annotations" / f"instances_val{year}.json"
    assert split.images == tmp_path / folder
    assert [picture.id for picture in split.pictures] == [1, 2, 3, 4]
    assert split.pictures[3].name == "000000000004.jpg"
    assert (len(split.categories), split.categories[11], split.category_ids[11]) == (80, "thing 13", 13)
    assert split.content() == content(1, 4)
    train = find_split(tmp_path, "train")
    assert [picture.id for picture in train.pictures] == [100, 101, 102, 103, 104, 105]
    check_disjoint(train, split)


def test_pictures_that_are_not_listed_are_left_alone(tmp_path: Path) -> None:
    before = find_split(coco_set(tmp_path), "val")
    (tmp_path / "val2017" / "another.jpg").write_bytes(b"x")
    assert find_split(tmp_path, "val") == before


def test_a_picture_without_annotations_stays_in_the_list(tmp_path: Path) -> None:
    coco_set(tmp_path)
    listed = content(1, 4)
    del listed["annotations"][2]
    write(tmp_path, "val", listed)
    assert len(find_split(tmp_path, "val").pictures) == 4


@pytest.mark.skipif(not DATA.exists(), reason="no coco-mini: set HARNESS_TEST_DATA to a folder that has it")
def test_real_annotations() -> None:
    train, val = find_split(DATA, "train"), find_split(DATA, "val")
    check_disjoint(train, val)
    assert (len(train.pictures), len(val.pictures), len(val.categories)) == (343, 206, 80)
    assert (val.categories[0], val.categories[79], val.category_ids[79]) == ("person", "toothbrush", 90)
    assert find_split(DATA, "val") == val


# Fingerprint

def test_fingerprint_follows_annotations_names_and_sizes(tmp_path: Path) -> None:
    def fingerprint(root: Path) -> str:
        return find_split(root, "val").fingerprint

    first = coco_set(tmp_path / "a")
    original = fingerprint(first)
    assert fingerprint(coco_set(tmp_path / "b", images="images/{split}2017")) == original, "wherever they lie"
    assert fingerprint(coco_set(tmp_path / "c", train=2)) == original, "the other split"
    assert find_split(first, "train").fingerprint != original
    picture = first / "val2017" / "000000000002.jpg"
    os.utime(picture, ns=(1, 1))
    assert fingerprint(first) == original, "the time of change"
    picture.write_bytes(b"another size")
    assert fingerprint(first) != original, "a size"
    listed = content(1, 4)
    listed["annotations"][0]["segmentation"][0][0] = 3
    write(tmp_path / "b", "val", listed)
    assert fingerprint(tmp_path / "b") != original, "an outline"


def test_an_annotation_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco_set(tmp_path)
    first = find_split(tmp_path, "val")
    read: list[Path] = []
    whole = annotation_file._content

    def counting(path: Path) -> Any:
        read.append(path)
        return whole(path)

    monkeypatch.setattr(annotation_file, "_content", counting)
    assert find_split(tmp_path, "val") == first
    assert not read
    write(tmp_path, "val", content(1, 3))
    assert len(find_split(tmp_path, "val").pictures) == 3
    assert len(read) == 1, "a file that was written anew"
    folder = annotation_file.cache_folder("detection/annotations")
    assert folder is not None
    for remembered in folder.iterdir():
        remembered.write_text("[1]")
    assert len(find_split(tmp_path, "val").pictures) == 3
    assert len(read) == 2, "a damaged memory"
    monkeypatch.setattr(annotation_file, "cache_folder", lambda name: None)
    assert len(find_split(tmp_path, "val").pictures) == 3
    assert len(read) == 3, "no memory"


# Half a download

def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no val split of COCO in .*: looked for annotations/instances_val2017\.json "
                                        r"or annotations/instances_val\.json\.") as caught:
        find_split(tmp_path, "val")
    assert "train2017/*.jpg" in caught.value.remedy
    with pytest.raises(DataError, match="never from the evaluation split"):
        find_split(tmp_path, "train")


def test_annotations_without_their_folder(tmp_path: Path) -> None:
    write(tmp_path, "val", content(1, 4))
    with pytest.raises(DataError, match=r"lists 4 pictures, but there is no folder .*val2017\n"):
        find_split(tmp_path, "val")


def test_pictures_that_were_not_downloaded(tmp_path: Path) -> None:
    coco_set(tmp_path)
    (tmp_path / "val2017" / "000000000002.jpg").unlink()
    (tmp_path / "val2017" / "000000000004.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of the 4 pictures that .*instances_val2017\.json lists are missing from "
                                        r".*val2017, or empty \(the first: 000000000002\.jpg\)"):
        find_split(tmp_path, "val")
    assert len(find_split(tmp_path, "train").pictures) == 6


def test_a_truncated_annotation_file(tmp_path: Path) -> None:
    """Cut anywhere: in a name, in a number, behind a closed bracket."""
    listed = content(1, 2)
    listed["categories"] = listed["categories"][:3]
    path = write(tmp_path, "val", {**listed, "info": {"public": True, "é": None}})
    encoded = path.read_bytes()
    for length in range(len(encoded)):
        path.write_bytes(encoded[:length])
        with pytest.raises(DataError, match=r"val2017\.json ends in the middle, after [\d,]+ bytes") as caught:
            annotation_file._content(path)
    assert "again" in caught.value.remedy
    path.write_bytes(encoded)
    annotation_file._content(path)


@pytest.mark.parametrize(("text", "message"), [
    (b"{'images': []}", r"instances_val2017\.json is not JSON: .*line 1 column 2"),
    (b"\xff\xfe{}", "is not JSON"),
    (b"{}", "no list 'images'"),
    (b'{"images": {}}', "no list 'images'"),
    (b'[{"id": 1}, {}]', "no list 'images'"),
    (b"<html>404</html>", "is not JSON"),
    (b'{"images": [3], "annotations": [], "categories": []}', "entry 0 of 'images' has no 'id'"),
])
def test_a_file_of_something_else(tmp_path: Path, text: bytes, message: str) -> None:
    (coco_set(tmp_path) / "annotations" / "instances_val2017.json").write_bytes(text)
    with pytest.raises(DataError, match=message):
        find_split(tmp_path, "val")


def change(**changes: Any) -> Change:
    """Put values into the entries: ``annotations_1_image_id=7``."""
    def apply(listed: dict[str, Any]) -> None:
        for where, value in changes.items():
            part, place, key = where.split("_", 2)
            listed[part][int(place)][key] = value
    return apply


@pytest.mark.parametrize(("wrong", "message"), [
    (change(annotations_1_image_id=77, annotations_3_image_id=78),
     r"2 of 4 annotations in .* belong to a picture that the file does not list \(the first: annotation 2, "
     r"picture 77\)"),
    (change(annotations_0_category_id=12), r"1 of 4 annotations .* a category that .* \(.*annotation 1, category 12"),
    (change(images_1_id=1), "'images' has the id 1 twice"),
    (change(images_1_file_name="000000000001.jpg"), r"'images' has the file_name '000000000001\.jpg' twice"),
    (change(annotations_1_id=1), "'annotations' has the id 1 twice"),
    (change(categories_1_id=1), "'categories' has the id 1 twice"),
    (lambda listed: listed["images"].clear(), r"instances_val2017\.json lists no pictures"),
    (lambda listed: listed["annotations"].clear(), "has no annotations: there is no ground truth"),
    (lambda listed: listed["annotations"][2].pop("bbox"), "entry 2 of 'annotations' has no 'bbox'"),
    (lambda listed: listed["images"][3].pop("file_name"), "entry 3 of 'images' has no 'file_name'"),
    (lambda listed: listed.pop("annotations"), "no list 'annotations'"),
])
def test_a_file_that_contradicts_itself(tmp_path: Path, wrong: Change, message: str) -> None:
    coco_set(tmp_path)
    listed = content(1, 4)
    wrong(listed)
    write(tmp_path, "val", listed)
    for _ in range(2):  # What is wrong is not remembered as right.
        with pytest.raises(DataError, match=message):
            find_split(tmp_path, "val")


# Calibration must not see the evaluation split

@pytest.mark.parametrize("link", [True, False])
def test_the_same_split_twice(tmp_path: Path, link: bool) -> None:
    coco_set(tmp_path)
    shutil.rmtree(tmp_path / "train2017")
    if link:
        (tmp_path / "train2017").symlink_to(tmp_path / "val2017")
    else:
        shutil.copytree(tmp_path / "val2017", tmp_path / "train2017")
    write(tmp_path, "train", content(1, 4))
    with pytest.raises(DataError, match=r"4 pictures of .*val2017.* are in .*train2017"):
        check_disjoint(find_split(tmp_path, "train"), find_split(tmp_path, "val"))


def test_a_shared_picture(tmp_path: Path) -> None:
    coco_set(tmp_path, year="", images="images")
    write(tmp_path, "train", content(4, 1), "")
    with pytest.raises(DataError, match=r"1 pictures of .*instances_val\.json are in .*\(the first: 000000000004\.jpg"):
        check_disjoint(find_split(tmp_path, "train"), find_split(tmp_path, "val"))


def test_equal_names_in_two_folders_are_two_pictures(tmp_path: Path) -> None:
    coco_set(tmp_path)
    write(tmp_path, "train", content(1, 3))
    for number in (1, 2, 3):
        (tmp_path / "train2017" / f"{number:012}.jpg").write_bytes(b"another")
    check_disjoint(find_split(tmp_path, "train"), find_split(tmp_path, "val"))


def test_json_with_unusual_names(tmp_path: Path) -> None:
    """Folders inside of the pictures' folder, and names beyond ASCII."""
    coco_set(tmp_path)
    listed = content(1, 2)
    listed["images"][0]["file_name"] = "a/é.jpg"
    path = write(tmp_path, "val", listed)
    (tmp_path / "val2017" / "a").mkdir()
    (tmp_path / "val2017" / "a" / "é.jpg").write_bytes(b"x")
    path.write_text(json.dumps(listed, ensure_ascii=False), encoding="utf-8")
    assert find_split(tmp_path, "val").pictures[0].name == "a/é.jpg"
    assert find_split(tmp_path, "val").pictures[0].name == "a/é.jpg"
