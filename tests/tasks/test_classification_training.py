"""What classifiers are trained on: views that are named by numbers, and cross-entropy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from picture_sets import csv_set

from harness import TaskRequest, View
from harness_tasks.classification.resolve import resolve
from harness_tasks.classification.task import ClassificationTask
from harness_tasks.classification.views import TRAINING_DIGITS, crop_box


@pytest.fixture(scope="module")
def mini() -> ClassificationTask:
    return ClassificationTask(resolve(TaskRequest("imagenet", "mini")))


def test_views_of_digits_are_functions_of_their_numbers(mini: ClassificationTask) -> None:
    samples = mini.training()
    assert len(samples.ids) == TRAINING_DIGITS
    views = [View(3, 1), View(200, 1), View(3, 2), View(3, 1)]
    batch, again = samples.batch(views), mini.training().batch(views[::-1])
    assert torch.equal(batch.inputs, again.inputs.flip(0))
    assert torch.equal(batch.inputs[0], batch.inputs[3])
    assert not torch.equal(batch.inputs[0], batch.inputs[2])
    assert batch.targets.tolist() == again.targets.tolist()[::-1]


def test_a_view_without_a_seed_is_what_is_evaluated(mini: ClassificationTask) -> None:
    pool = next(iter(mini.pool().batches([5, 130], 2)))
    batch = mini.training().batch([View(5), View(130)])
    assert torch.equal(batch.inputs, pool.inputs)
    assert torch.equal(batch.targets, pool.targets)


def test_digits_move_by_two_pixels_at_most(mini: ClassificationTask) -> None:
    whole = mini.training().batch([View(9)]).inputs[0]
    moved = mini.training().batch([View(9, seed) for seed in range(60)]).inputs
    padded = torch.nn.functional.pad(whole, (2, 2, 2, 2), mode="replicate")
    places = {(down, right): padded[:, down:down + 32, right:right + 32] for down in range(5) for right in range(5)}
    found = [next(place for place, picture in places.items() if torch.equal(picture, view)) for view in moved]
    assert len(set(found)) > 15


def test_training_never_shows_what_is_evaluated(mini: ClassificationTask) -> None:
    assert not set(mini.training().ids) & set(mini.evaluation().ids)


def test_pictures_are_cropped_and_mirrored(tmp_path: Path) -> None:
    task = ClassificationTask(resolve(TaskRequest("cifar10", "full", "vit_tiny_patch16_224", str(csv_set(tmp_path)),
                                                  "random")))
    samples = task.training()
    views = [View(1, seed) for seed in range(4)]
    batch = samples.batch([*views, View(1)])
    assert batch.inputs.shape == (5, 3, 224, 224)
    assert batch.targets.tolist() == [1] * 5
    assert len({picture.sum().item() for picture in batch.inputs}) == 5
    assert torch.equal(batch.inputs[:4], samples.batch(views).inputs)
    assert torch.equal(batch.inputs[4:], next(iter(task.pool().batches([1], 1))).inputs)


def test_crops_lie_in_the_picture_and_have_the_right_sizes() -> None:
    random = np.random.default_rng(0)
    areas, ratios = [], []
    for _ in range(500):
        left, top, right, bottom = crop_box(200, 160, random)
        assert 0 <= left < right <= 200
        assert 0 <= top < bottom <= 160
        areas.append((right - left) * (bottom - top) / 32000)
        ratios.append((right - left) / (bottom - top))
    assert min(areas) > 0.07
    assert max(areas) > 0.9
    assert np.mean(areas) == pytest.approx(0.5, abs=0.07)
    assert min(ratios) > 0.74
    assert max(ratios) < 1.36


def test_a_very_long_picture_gets_its_middle() -> None:
    assert crop_box(1000, 10, np.random.default_rng(0)) == (493, 0, 506, 10)


def test_the_objective_is_cross_entropy(mini: ClassificationTask) -> None:
    batch, model = mini.training().batch([View(0), View(1)]), mini.model()
    loss, logits = mini.objective(model, batch)
    expected = -torch.log_softmax(model(batch.inputs), -1)[range(2), batch.targets].mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(logits, model(batch.inputs))
    assert loss.requires_grad
