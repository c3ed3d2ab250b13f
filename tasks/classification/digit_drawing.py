"""What a picture of the mini image set shows: one or two digits on a ground of strokes and fragments."""

from __future__ import annotations

import numpy as np

from harness import Drawing, Glyphs

from .digits import IMAGE_SIZE, PARAMETER_WORDS

FRAGMENTS = 3
"""Pieces of other digits strewn over each picture."""

STROKES = 2
"""Straight strokes strewn over each picture."""


def draw(words: np.ndarray, glyphs: Glyphs, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture for each row of random words.

    Args:
        words: uint64 of shape (count, words): first the words for the parameters, then those for pixel noise.
        glyphs: the glyphs that may be used.
        classes: 10 for one digit in a picture, 100 for two.

    Returns:
        Pictures, uint8 of shape (count, 32, 32, 3); and labels, int64 of shape (count,).
    """
    drawing = Drawing(words[:, :PARAMETER_WORDS], IMAGE_SIZE, glyphs)
    uniform = drawing.uniform
    ground, colour = drawing.ground_and_ink_colour()
    drawing.lay_ground(ground)
    for _ in range(STROKES):
        thickness = uniform(0.2, 0.9)
        drawing.paint(drawing.stroke().thinned(thickness), drawing.distractor_colour(ground))
    for _ in range(FRAGMENTS):
        drawing.paint(drawing.fragment(10.0, 22.0), drawing.distractor_colour(ground))

    labels = np.zeros(len(words), dtype=np.int64)
    centres = ((16.0, 3.0),) if classes == 10 else ((8.5, 1.0), (23.5, 1.0))
    for centre, shift in centres:
        digit = drawing.digits()
        size = uniform(18.0, 26.0) if classes == 10 else uniform(14.0, 17.0)
        ink = drawing.glyph(
            drawing.glyph_of(digit),
            centre_x=centre + uniform(-shift, shift),
            centre_y=16.0 + uniform(-3.0, 3.0),
            size=size,
            stretch=uniform(0.85, 1.18),
            half_tangent=uniform(-0.16, 0.16),
        )
        drawing.paint(ink.thinned(uniform(0.85, 1.0)), colour)
        labels = labels * 10 + digit

    drawing.blur(uniform(0.0, 1.0))
    drawing.flatten(contrast=uniform(0.5, 1.0))
    return drawing.finish(words[:, PARAMETER_WORDS:], noise=uniform(0.01, 0.17)), labels
