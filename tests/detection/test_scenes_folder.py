"""The scenes as a COCO folder: read by COCO's own tools, complete or not there, written once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO
from faster_coco_eval.core import mask as rle
from PIL import Image

from harness import DataError
from harness_tasks.detection import scene_folder as module
from harness_tasks.detection.coco_folder import check_disjoint, find_split
from harness_tasks.detection.scene_folder import run_lengths, scene_folder
from harness_tasks.detection.scenes import generate

COUNTS = {"train": 5, "val": 3}
WRITER = Path(__file__).with_name("scene_writer.py")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and small splits. The folder that the scenes are in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "COUNTS", COUNTS)
    return tmp_path / "cache" / "quantization-harness" / "detection" / "scenes"


def no_writing(*_: Any) -> None:
    raise AssertionError("written again")


def another_process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(WRITER), *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("split", "scenes"), [("train", "train"), ("val", "test")])
def test_coco_reads_what_was_drawn(split: str, scenes: str) -> None:
    root = scene_folder()
    coco = COCO(str(root / "annotations" / f"instances_{split}2017.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == [str(digit) for digit in range(10)]
    assert coco.getCatIds() == list(range(1, 11))
    pictures, instances = generate(scenes, 0, COUNTS[split])
    assert len(coco.getImgIds()) == COUNTS[split]
    for number, (picture, drawn) in enumerate(zip(pictures, instances, strict=True), start=1):
        (image,) = coco.loadImgs([number])
        assert np.array_equal(np.asarray(Image.open(root / f"{split}2017" / image["file_name"])), picture)
        assert (image["width"], image["height"]) == (128, 128)
        found = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        assert len(found) == len(drawn)
        for annotation, instance in zip(found, drawn, strict=True):
            assert np.array_equal(coco.annToMask(annotation), instance.picture_mask())
            assert annotation["category_id"] == instance.label + 1
            assert annotation["area"] == rle.area(coco.annToRLE(annotation))
            assert annotation["bbox"] == rle.toBbox(coco.annToRLE(annotation)).tolist()
            assert annotation["iscrowd"] == 0
            assert annotation["id"] > 0


@pytest.mark.parametrize("fill", [0.0, 0.1, 0.5, 1.0])
def test_run_lengths_are_cocos(fill: float) -> None:
    random = np.random.default_rng(3)
    for corner in (False, True):
        mask = random.random((7, 11)) < fill
        mask[0, 0] = corner
        assert np.array_equal(rle.decode(rle.frPyObjects({"size": [7, 11], "counts": run_lengths(mask)}, 7, 11)), mask)


def test_it_is_a_coco_folder() -> None:
    root = scene_folder()
    train, val = find_split(root, "train"), find_split(root, "val")
    check_disjoint(train, val)
    assert len(val.pictures) == 3
    assert val.pictures[0].name == "000000000001.png"
    assert val.categories == tuple("0123456789")
    assert val.content()["images"][0]["id"] == 1


def test_written_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scene_folder()
    monkeypatch.setattr(module, "_write", no_writing)
    assert scene_folder() == first
    assert [first] == list(place.iterdir())


def other_version(root: Path) -> None:
    (root / "complete.json").write_text(json.dumps({"version": "older", "scenes": COUNTS}))


def no_stamp(root: Path) -> None:
    (root / "complete.json").unlink()


def damaged_stamp(root: Path) -> None:
    (root / "complete.json").write_text("{")


def a_picture_less(root: Path) -> None:
    (root / "val2017" / "000000000002.png").unlink()


def no_annotations(root: Path) -> None:
    (root / "annotations" / "instances_val2017.json").unlink()


def half_deleted(root: Path) -> None:
    shutil.rmtree(root / "train2017")


@pytest.mark.parametrize("damage", [other_version, no_stamp, damaged_stamp, a_picture_less, no_annotations,
                                    half_deleted])
def test_what_is_not_complete_is_written_anew(place: Path, damage: Callable[[Path], None]) -> None:
    root = scene_folder()
    names = sorted(path.relative_to(root) for path in root.rglob("*"))
    damage(root)
    assert scene_folder() == root
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == names
    assert json.loads((root / "complete.json").read_text())["version"] != "older"
    assert list(place.iterdir()) == [root]


def test_a_killed_writer_leaves_nothing_that_counts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = another_process("die", "5", "3")
    assert killed.wait(60) == 9
    assert killed.stdout is not None
    killed.stdout.close()
    (left,) = place.iterdir()
    assert left.name.startswith("part-")
    assert len(list((left / "train2017").iterdir())) == 5
    root = scene_folder()
    assert set(place.iterdir()) == {root, left}, "what may belong to a living writer stays"
    shutil.rmtree(root)
    os.utime(left, (time.time() - 7200,) * 2)
    assert scene_folder() == root
    assert list(place.iterdir()) == [root], "what was left hours ago is removed"


def test_a_failed_writer_cleans_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DataError, match=r"scenes.* cannot be written to .*: No space left on device") as caught:
        scene_folder()
    assert "XDG_CACHE_HOME" in caught.value.remedy
    assert not list(place.iterdir())


def test_writers_at_the_same_time(place: Path) -> None:
    writers = [another_process("12", "3") for _ in range(2)]
    said = {writer.communicate(timeout=120)[0].strip() for writer in writers}
    assert [writer.returncode for writer in writers] == [0, 0]
    (root,) = place.iterdir()
    assert said == {str(root)}
    assert len(list((root / "train2017").iterdir())) == 12


def test_the_folder_appears_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the very folder that was written, renamed; not a copy that could be seen half-made."""
    write, written = module._write, []

    def noting(folder: Path) -> None:
        write(folder)
        written.append(folder.stat().st_ino)

    monkeypatch.setattr(module, "_write", noting)
    assert [scene_folder().stat().st_ino] == written


def test_the_slower_writer_takes_the_faster_ones_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write, done = module._write, []

    def overtaken(folder: Path) -> None:
        write(folder)
        if not done:
            done.append(folder)
            marked = scene_folder()
            (marked / "mark").touch()

    monkeypatch.setattr(module, "_write", overtaken)
    assert (scene_folder() / "mark").exists()


def test_without_a_cache_a_temporary_folder_that_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    writer = another_process("2", "1")
    said = writer.communicate(timeout=60)[0].strip()
    assert writer.returncode == 0
    assert Path(said).parent == tmp_path / "tmp"
    assert not list((tmp_path / "tmp").iterdir())
