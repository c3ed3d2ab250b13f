"""Texts beside points: none covers another, a mark or the edge."""

from __future__ import annotations

import random

import pytest

from harness.report.charts.labels import LETTER, LINE, Paper


@pytest.mark.parametrize("seed", range(30))
def test_placed_texts_do_not_overlap(seed):
    draw = random.Random(seed)
    points = [(draw.uniform(0, 600), draw.uniform(0, 300), "word " * draw.randint(1, 4)) for _ in range(20)]
    paper = Paper(600, 300)
    for x, y, _ in points:
        paper.mark(x, y)
    boxes = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in points]
    for x, y, text in points:
        place = paper.place(x, y, text)
        if place is None:
            continue
        width = LETTER * len(text)
        left = x + place.dx - {"left": 0, "center": width / 2, "right": width}[place.align]
        box = (left, y + place.dy - LINE / 2, left + width, y + place.dy + LINE / 2)
        assert box[0] >= 0
        assert box[2] <= 600
        assert not any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in boxes)
        boxes.append(box)
    assert len(boxes) > 25  # most found a place


def test_name_of_a_line_goes_where_no_mark_is():
    paper = Paper(600, 300)
    paper.mark(20, 90)
    assert paper.line(100, "full precision 95.00") == "right"
    empty = Paper(600, 300)
    assert empty.line(100, "full precision 95.00") == "left"


def test_no_place_among_too_many_marks():
    paper = Paper(100, 100)
    for x in range(0, 101, 8):
        for y in range(0, 101, 8):
            paper.mark(x, y)
    assert paper.place(50, 50, "text") is None
