"""The scenes of the mini detection set: the same on every machine, and masks that are what can be seen."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from harness import Ink
from harness_tasks.detection import scene_drawing
from harness_tasks.detection.scenes import CLASSES, IMAGE_SIZE, SPLIT_SIZES, Instance, generate

#: SHA-256 of scenes 10 to 21 and their instances. The models that ship were trained on exactly these scenes.
KNOWN = {"train": "a8693d5ecdbe93ee1e4615ec564b799e4fc8176130853e6b0518da5326985448",
         "test": "cdd4ff4163d48f4f3c79911af5f006b3390c1657f1e1c9286fd9ecd715e9dd8b"}


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, list[list[Instance]]]:
    return generate("train", 100, 200)


def _described(scenes: list[list[Instance]]) -> list[list[tuple[int, tuple[int, ...], bytes]]]:
    return [[(one.label, one.box, one.mask.tobytes()) for one in scene] for scene in scenes]


@pytest.mark.parametrize("split", KNOWN)
def test_scenes_are_these(split: str) -> None:
    images, scenes = generate(split, 10, 12)
    hashed = hashlib.sha256(images.tobytes())
    for scene in scenes:
        for instance in scene:
            hashed.update(repr((instance.label, instance.box)).encode() + instance.picture_mask().tobytes())
    assert hashed.hexdigest() == KNOWN[split]


def test_a_scene_depends_on_its_index_only(drawn: tuple[np.ndarray, list[list[Instance]]]) -> None:
    images, scenes = generate("train", 117, 3)
    assert np.array_equal(images, drawn[0][17:20])
    assert _described(scenes) == _described(drawn[1][17:20])
    assert not np.array_equal(generate("test", 117, 1)[0], images[:1])
    assert len(np.unique(drawn[0].reshape(200, -1), axis=0)) == 200


@pytest.mark.parametrize(("split", "start", "count"), [
    ("val", 0, 1), ("test", -1, 1), ("test", 0, -1), ("test", SPLIT_SIZES["test"] - 1, 2)])
def test_only_scenes_of_the_splits(split: str, start: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"unknown split 'val'|outside the test split of 500"):
        generate(split, start, count)
    assert generate("test", SPLIT_SIZES["test"], 0)[0].shape == (0, IMAGE_SIZE, IMAGE_SIZE, 3)


def test_boxes_are_tight_and_inside(drawn: tuple[np.ndarray, list[list[Instance]]]) -> None:
    for instance in (one for scene in drawn[1] for one in scene):
        left, top, width, height = instance.box
        assert 0 <= left < left + width <= IMAGE_SIZE
        assert 0 <= top < top + height <= IMAGE_SIZE
        for border in (instance.mask[0], instance.mask[-1], instance.mask[:, 0], instance.mask[:, -1]):
            assert border.any()
        whole = instance.picture_mask()
        assert whole.shape == (IMAGE_SIZE, IMAGE_SIZE)
        assert whole.sum() == instance.mask.sum() >= scene_drawing.VISIBLE_PIXELS
        assert np.array_equal(whole[top:top + height, left:left + width], instance.mask)


def test_no_pixel_belongs_to_two(drawn: tuple[np.ndarray, list[list[Instance]]]) -> None:
    for scene in drawn[1]:
        assert np.sum([one.picture_mask() for one in scene], axis=0).max() == 1


def test_variety(drawn: tuple[np.ndarray, list[list[Instance]]]) -> None:
    counts = [len(scene) for scene in drawn[1]]
    assert set(counts) >= {2, 3, 4, 5, 6}
    assert 1 <= min(counts) <= max(counts) <= scene_drawing.MOST
    instances = [one for scene in drawn[1] for one in scene]
    assert np.bincount([one.label for one in instances], minlength=len(CLASSES)).min() > len(instances) / 20
    heights = [one.box[3] for one in instances]
    assert min(heights) < 16
    assert max(heights) > 40
    # Neighbours overlap in some scenes: boxes that meet.
    meeting = [bool((np.sum([_filled(one) for one in scene], axis=0) > 1).any()) for scene in drawn[1]]
    assert 0.2 < np.mean(meeting) < 0.95


def _filled(instance: Instance) -> np.ndarray:
    whole = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.int64)
    left, top, width, height = instance.box
    whole[top:top + height, left:left + width] = 1
    return whole


def _square(left: int, top: int, side: int) -> tuple[np.ndarray, Ink]:
    """A digit 7 that is a square, in a window that begins at row 20, column 30."""
    amount = np.zeros((1, 72, 72))
    amount[0, top - 20:top - 20 + side, left - 30:left - 30 + side] = 0.9
    return np.array([7]), Ink(amount, np.array([20]), np.array([30]))


def test_what_lies_in_front_hides_what_lies_behind() -> None:
    behind, front = scene_drawing._instances([_square(40, 30, 20), _square(50, 40, 20)], 0)
    assert front.box == (50, 40, 20, 20)
    assert front.mask.all()
    assert behind.box == (40, 30, 20, 20)
    assert not behind.mask[10:, 10:].any()
    assert behind.mask[:10].all()
    assert behind.mask[:, :10].all()


@pytest.mark.parametrize(("side", "shift", "seen"), [(20, 6, True), (20, 5, False), (20, 0, False), (4, 40, False),
                                                     (5, 40, True)])
def test_what_is_almost_hidden_or_tiny_is_no_instance(side: int, shift: int, seen: bool) -> None:
    """Of 20 columns 6 are 30 %; 4x4 pixels are fewer than 24."""
    scene = scene_drawing._instances([_square(40, 30, side), _square(40 + shift, 30, 20)], 0)
    assert len(scene) == 1 + seen
    assert scene[0].box == ((40, 30, min(side, shift), side) if seen else (40 + shift, 30, 20, 20))


def test_masks_are_brighter_than_what_surrounds_them(drawn: tuple[np.ndarray, list[list[Instance]]]) -> None:
    brighter = []
    for image, scene in zip(drawn[0], drawn[1], strict=True):
        taken = np.any([one.picture_mask() for one in scene], axis=0)
        for instance in scene:
            around = _filled(instance).astype(bool) & ~taken
            if around.sum() > 20:
                brighter.append(image[instance.picture_mask()].mean() > image[around].mean())
    assert len(brighter) > 500
    assert np.mean(brighter) > 0.98
