"""What a scene shows: two to six digits, some in front of others, on a ground of strokes and fragments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness import Drawing, Glyphs, Ink

from .scenes import IMAGE_SIZE, PARAMETER_WORDS, Instance

STROKES = 4
"""Straight strokes strewn over each scene."""

FRAGMENTS = 5
"""Pieces of other digits strewn over each scene."""

FEWEST, MOST = 2, 6
"""Digits that are drawn in a scene."""

HEIGHTS = (14.0, 44.0)
"""Height of a glyph's 8x8 box, in pixels."""

VISIBLE_PART = 0.3
"""A digit of which less can be seen is no instance (nor one of fewer than :data:`VISIBLE_PIXELS`)."""

VISIBLE_PIXELS = 24

_WINDOW = 72  # Holds a glyph of the greatest height, at any stretch and angle below.
_CELLS = 3  # Digits stand in different cells of a 3x3 grid, with so much play that neighbours overlap.
_PLAY = 14.0
_EDGE = 0.3  # The interpolated ink at a digit's edge: there it covers the ground by half.
_STEEPNESS = 2.5


def draw(words: np.ndarray, glyphs: Glyphs) -> tuple[np.ndarray, list[list[Instance]]]:
    """Draw one scene for each row of random words.

    Args:
        words: uint64 of shape (count, words): first the words for the parameters, then those for pixel noise.
        glyphs: the glyphs that may be used.

    Returns:
        Pictures, uint8 of shape (count, 128, 128, 3); and the instances of each, those behind first.
    """
    drawing = Drawing(words[:, :PARAMETER_WORDS], IMAGE_SIZE, glyphs)
    uniform = drawing.uniform
    ground, _ = drawing.ground_and_ink_colour()
    drawing.lay_ground(ground)
    for _ in range(STROKES):
        thickness = uniform(0.2, 0.7)
        drawing.paint(drawing.stroke().thinned(thickness), drawing.distractor_colour(ground))
    for _ in range(FRAGMENTS):
        drawing.paint(drawing.fragment(*HEIGHTS, side=_WINDOW), drawing.distractor_colour(ground))

    digits: list[tuple[np.ndarray, Ink]] = []
    shown = np.floor(uniform(FEWEST, MOST + 1.0))
    cells = np.argsort(np.stack([uniform(0.0, 1.0) for _ in range(_CELLS * _CELLS)], axis=1), axis=1, kind="stable")
    for number in range(MOST):
        label = drawing.digits()
        ink = _digit(drawing, label, cells[:, number])
        ink = ink.thinned((number < shown).astype(np.float64))
        drawing.paint(ink.thinned(uniform(0.85, 1.0)), drawing.brighter(ground))
        digits.append((label, ink))

    drawing.blur(uniform(0.0, 1.0))
    drawing.flatten(contrast=uniform(0.5, 1.0))
    pictures = drawing.finish(words[:, PARAMETER_WORDS:], noise=uniform(0.01, 0.12))
    return pictures, [_instances(digits, scene) for scene in range(len(words))]


def _digit(drawing: Drawing, label: np.ndarray, cell: np.ndarray) -> Ink:
    """Ink of one digit for each scene, near the middle of a cell and with its middle well inside of the scene."""
    uniform = drawing.uniform
    height = uniform(*HEIGHTS)
    middle_x, middle_y = ((place + 0.5) * (IMAGE_SIZE / _CELLS) + uniform(-_PLAY, _PLAY)
                          for place in (cell % _CELLS, cell // _CELLS))
    ink = drawing.glyph(
        drawing.glyph_of(label),
        centre_x=np.clip(middle_x, 0.4 * height, IMAGE_SIZE - 0.4 * height),
        centre_y=np.clip(middle_y, 0.4 * height, IMAGE_SIZE - 0.4 * height),
        size=height,
        stretch=uniform(0.85, 1.18),
        half_tangent=uniform(-0.16, 0.16),
        side=_WINDOW,
    )
    # An 8x8 glyph enlarged is a blur: a steeper ramp gives it an edge that a mask can follow.
    return replace(ink, amount=np.clip((ink.amount - _EDGE) * _STEEPNESS + 0.5, 0.0, 1.0))


def _instances(digits: list[tuple[np.ndarray, Ink]], scene: int) -> list[Instance]:
    """What can be seen of each digit of one scene, from the last one drawn, which lies in front, to the first."""
    hidden = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=bool)
    found: list[Instance] = []
    for label, ink in reversed(digits):
        top, left = int(ink.top[scene]), int(ink.left[scene])
        own = ink.amount[scene] > 0.5
        covered = hidden[top:top + _WINDOW, left:left + _WINDOW]
        visible = own & ~covered
        covered |= own
        pixels = int(np.count_nonzero(visible))
        if pixels < max(VISIBLE_PIXELS, VISIBLE_PART * np.count_nonzero(own)):
            continue
        rows, columns = (np.flatnonzero(visible.any(axis=axis)) for axis in (1, 0))
        mask = visible[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].copy()
        found.append(Instance(int(label[scene]), left + int(columns[0]), top + int(rows[0]), mask))
    return found[::-1]
