"""Glyphs, random words and drawing: the same bytes on every machine, in pieces of any size."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from harness import Drawing, random_words, split_glyphs
from harness_tasks.classification import digits

#: SHA-256 of pictures 500 to 523 and their labels. The models that ship were trained on exactly these pictures.
KNOWN = {
    ("train", 10): "0ac30964f43a20ec8c6459e9647114407a7e540979ba2d0a89e338946e3cc00d",
    ("train", 100): "7d19f0e57f7143fbe8b61f566705cb76fa192874bdb11b635553168f49be5ba8",
    ("test", 10): "d89fff6d3c08de007e58b6bf006dda2a1f5cd75aa14767d6645fe65053d57625",
    ("test", 100): "a09e6b422076a4fcf85c68e9b4aba753dad8462242e1c61386575eaaf5dc8ed4",
}


@pytest.mark.parametrize(("split", "classes"), KNOWN)
def test_pictures_of_the_mini_classification_set(split: str, classes: int) -> None:
    images, labels = digits.generate(split, 500, 24, classes)
    assert hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest() == KNOWN[split, classes]


def test_glyphs_of_train_and_test_are_disjoint_and_all_of_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    members = {split: [set(indices.tolist()) for indices in split_glyphs(split).by_digit]
               for split in ("train", "test")}
    for digit in range(10):
        assert not members["train"][digit] & members["test"][digit]
        assert members["train"][digit] | members["test"][digit] == set(np.flatnonzero(bunch.target == digit).tolist())
    assert sum(map(len, members["test"])) == 597
    assert np.array_equal(split_glyphs("train").ink * 16, bunch.images)


def test_words_belong_to_an_item_and_a_purpose() -> None:
    whole = random_words("purpose", 0, 9, 12)
    assert np.array_equal(random_words("purpose", 4, 3, 12), whole[4:7])
    assert len(np.unique(whole)) == whole.size
    assert not np.isin(random_words("another purpose", 0, 9, 12), whole).any()


def _drawing(count: int = 5, words: int = 64, size: int = 40) -> Drawing:
    return Drawing(random_words("test", 0, count, words), size, split_glyphs("train"))


def test_draws_are_uniform_and_run_out() -> None:
    drawing = _drawing(count=2000, words=4)
    draws = drawing.uniform(-1.0, 3.0)
    assert draws.min() >= -1.0
    assert draws.max() < 3.0
    assert np.abs(np.histogram(draws, 4, (-1.0, 3.0))[0] - 500).max() < 100
    for _ in range(3):
        drawing.uniform(0.0, 1.0)
    with pytest.raises(IndexError):
        drawing.uniform(0.0, 1.0)


@pytest.mark.parametrize("place", [-3.0, 2.5, 20.2, 38.0, 44.0])
def test_a_window_holds_the_whole_glyph(place: float) -> None:
    """Drawn in a window or on the whole picture: the same ink, near the border and beyond it too."""
    painted = []
    for side in (None, 28):
        drawing = _drawing()
        index = drawing.glyph_of(drawing.digits())
        five = np.full(5, place) + np.arange(5) * 0.3
        ink = drawing.glyph(index, centre_x=five, centre_y=40.0 - five, size=np.full(5, 14.0),
                            stretch=np.linspace(0.8, 1.2, 5), half_tangent=np.linspace(-0.3, 0.3, 5), side=side)
        assert ink.amount.shape == (5, side or 40, side or 40)
        drawing.paint(ink, np.ones((5, 3)))
        painted.append(drawing.canvas)
    assert painted[0].max() > 0.5 or not 0.0 < place < 40.0
    np.testing.assert_allclose(painted[1], painted[0], atol=1e-12)


def test_glyph_is_the_bilinear_picture_of_it() -> None:
    """At one pixel a cell, unturned: the glyph itself; turned by a quarter: the glyph turned."""
    drawing = _drawing(count=1, size=8)
    index, one, middle = np.array([3]), np.ones(1), np.full(1, 4.0)
    drawn = drawing.glyph(index, centre_x=middle, centre_y=middle, size=8.0 * one, stretch=one, half_tangent=0.0 * one)
    np.testing.assert_allclose(drawn.amount[0], split_glyphs("train").ink[3], atol=1e-12)
    turned = drawing.glyph(index, centre_x=middle, centre_y=middle, size=8.0 * one, stretch=one, half_tangent=one)
    np.testing.assert_allclose(turned.amount[0], np.rot90(split_glyphs("train").ink[3], -1), atol=1e-12)


def test_finish_rounds_and_clips() -> None:
    drawing = _drawing(count=1, size=4)
    drawing.canvas[0, 0, 0] = [-0.5, 0.5, 1.5]
    words = random_words("noise", 0, 1, 4 * 4 * 3 // 4)
    assert drawing.finish(words, noise=np.zeros(1))[0, 0, 0].tolist() == [0, 128, 255]
    noisy = drawing.finish(words, noise=np.ones(1))
    assert noisy.min() == 0
    assert len(np.unique(noisy)) > 10
