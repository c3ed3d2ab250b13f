"""The Pareto front against its definition, point by point."""

from __future__ import annotations

import random

import pytest

from harness.report.charts.pareto import front


def _brute(points):
    def dominated(one):
        return any(other[0] <= one[0] and other[1] >= one[1] and other != one for other in points)
    return {index for index, point in enumerate(points) if not dominated(point)}


@pytest.mark.parametrize("seed", range(200))
def test_front_is_what_nothing_dominates(seed):
    draw = random.Random(seed)
    points = [(draw.randint(1, 8), draw.randint(1, 8)) for _ in range(draw.randint(1, 25))]
    found = front(points)
    assert set(found) == _brute(points)
    assert len(found) == len(set(found))
    assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


def test_equal_points_are_both_on_the_front():
    assert front([(1, 5), (1, 5), (2, 5), (2, 6)]) == [0, 1, 3]


def test_no_points_no_front():
    assert front([]) == []
