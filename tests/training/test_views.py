"""The views of every step: each sample once a pass, and the same views for the same seed."""

from __future__ import annotations

import pytest

from harness.training.views import ViewStream


def test_a_pass_shows_every_sample_once() -> None:
    stream = ViewStream(12, 4, seed=0)
    assert stream.steps_per_epoch == 3
    first = [view.index for step in range(3) for view in stream.views(step)]
    second = [view.index for step in range(3, 6) for view in stream.views(step)]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_steps_can_be_asked_for_in_any_order() -> None:
    forward = [ViewStream(10, 3, seed=5).views(step) for step in range(9)]
    again = ViewStream(10, 3, seed=5)
    assert [again.views(step) for step in reversed(range(9))] == forward[::-1]
    assert ViewStream(10, 3, seed=6).views(0) != forward[0]


def test_crops_are_views_of_the_same_sample() -> None:
    stream = ViewStream(8, 6, seed=0, crops=3)
    views = stream.views(0)
    assert [view.index for view in views[:3]] == [views[0].index] * 3
    assert len({view.seed for view in views[:3]}) == 3
    assert len({view.index for view in views}) == 2
    assert stream.batch_size == 6
    assert stream.steps_per_epoch == 1, "an epoch is as many views as there are samples"


def test_a_bank_has_so_many_views_of_each_sample() -> None:
    stream = ViewStream(4, 4, seed=0, bank=3)
    seen = {view.seed for step in range(40) for view in stream.views(step)}
    assert seen == {0, 1, 2}


@pytest.mark.parametrize(("count", "batch"), [(3, 8), (1, 1)])
def test_few_samples_make_a_small_batch(count: int, batch: int) -> None:
    stream = ViewStream(count, batch, seed=0)
    assert len(stream.views(0)) == stream.batch_size == count
    assert stream.steps_per_epoch == 1
