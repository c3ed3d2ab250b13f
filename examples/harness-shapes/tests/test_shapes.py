"""The laws that every task keeps, and what this one promises beside."""

from __future__ import annotations

import pytest
import torch
from harness_shapes.drawing import PictureBatch, draw, evaluation_pictures
from harness_shapes.metric import IouScorer, intersection_over_union
from harness_shapes.resolve import resolve
from harness_shapes.task import Shapes

from harness import DataError, TaskRequest
from harness.testing import TaskConformance


class TestShapes(TaskConformance):
    task = "shapes"


def test_intersection_over_union_by_hand() -> None:
    """A disc of 2 pixels of which 1 is found, a square that is not there; and a picture without shapes."""
    wanted = torch.tensor([[[1, 1], [0, 0]], [[0, 0], [0, 0]]])
    predicted = torch.tensor([[[1, 0], [0, 2]], [[0, 0], [0, 0]]])
    assert intersection_over_union(predicted, wanted).tolist() == [0.25, 0.0]


def test_perfect_answers_score_100() -> None:
    scorer = IouScorer()
    for batch in evaluation_pictures().batches(range(20), 8):
        scorer.update(torch.nn.functional.one_hot(batch.targets, 3).movedim(-1, 1), batch)
    assert scorer.result().metrics == {"iou": pytest.approx(100), "pixels": 100}
    assert len(list(scorer.result().per_sample)) == 20


def test_the_shipped_model_finds_shapes() -> None:
    task, scorer = Shapes(resolve(TaskRequest("shapes"))), IouScorer()
    (batch,) = task.evaluation().batches(range(50), 50)
    with torch.no_grad():
        scorer.update(task.forward(task.model(), batch.inputs), batch)
    assert scorer.result().metrics["iou"] > 70


def test_random_weights_are_said() -> None:
    resolved = resolve(TaskRequest("shapes", weights="random:3"))
    assert "RANDOM" in resolved.notice
    first, second = Shapes(resolved).model(), Shapes(resolved).model()
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


def test_a_picture_depends_on_its_seed_alone() -> None:
    (both,), (second,) = (evaluation_pictures().batches(indices, 8) for indices in ([4, 5], [5]))
    assert isinstance(both, PictureBatch)
    assert torch.equal(both.inputs[1], second.inputs[0])
    assert not torch.equal(draw(1)[0], draw(2)[0])


def test_there_is_no_full_scale() -> None:
    with pytest.raises(DataError, match="no full scale"):
        resolve(TaskRequest("shapes", "full"))
