"""Draws the pictures of the mini image set from random words, many pictures at once.

Only integer and elementwise float64 arithmetic is used: ``+ - * /``, square roots and comparisons. IEEE 754
fixes their results on every machine; sines, exponentials, matrix products and long float sums are not fixed
and would make the bytes depend on the processor. Rotations therefore use sine and cosine in rational form.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .digits import IMAGE_SIZE, PARAMETER_WORDS

GLYPH_SIZE = 8
_GLYPH_FRAME = 2  # Empty pixels around a glyph, so that interpolation beyond its edge reads no ink.

FRAGMENTS = 3
"""Pieces of other digits strewn over each picture."""

STROKES = 2
"""Straight strokes strewn over each picture."""

Draws = Callable[[float, float], np.ndarray]


def draw(
    words: np.ndarray, glyphs: np.ndarray, glyphs_by_digit: list[np.ndarray], classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture for each row of random words.

    Args:
        words: uint64 of shape (count, words): first the words for the parameters, then those for pixel noise.
        glyphs: ink of all glyphs, float64 of shape (glyphs, 8, 8), 0 to 1.
        glyphs_by_digit: for each digit the indices of the glyphs that may be used.
        classes: 10 for one digit in a picture, 100 for two.

    Returns:
        Pictures, uint8 of shape (count, 32, 32, 3); and labels, int64 of shape (count,).
    """
    count = len(words)
    uniform = _uniform_draws(words[:, :PARAMETER_WORDS])
    framed = np.pad(glyphs, ((0, 0), (_GLYPH_FRAME, _GLYPH_FRAME), (_GLYPH_FRAME, _GLYPH_FRAME)))

    ground, colour_away = _colours(uniform)
    canvas = _background(uniform, ground)
    for _ in range(STROKES):
        thickness = uniform(0.2, 0.9)[:, None, None]
        _paint(canvas, _stroke(uniform) * thickness, _distractor_colour(uniform, ground))
    for _ in range(FRAGMENTS):
        _paint(canvas, _fragment(uniform, framed, glyphs_by_digit), _distractor_colour(uniform, ground))

    labels = np.zeros(count, dtype=np.int64)
    centres = ((16.0, 3.0),) if classes == 10 else ((8.5, 1.0), (23.5, 1.0))
    for centre, shift in centres:
        digit = _digits(uniform)
        size = uniform(18.0, 26.0) if classes == 10 else uniform(14.0, 17.0)
        ink = _glyph(
            framed,
            _choose_glyph(uniform, glyphs_by_digit, digit),
            centre_x=centre + uniform(-shift, shift),
            centre_y=16.0 + uniform(-3.0, 3.0),
            size=size,
            stretch=uniform(0.85, 1.18),
            half_tangent=uniform(-0.16, 0.16),
        )
        _paint(canvas, ink * uniform(0.85, 1.0)[:, None, None], colour_away)
        labels = labels * 10 + digit

    canvas = _blur(canvas, uniform(0.0, 1.0)[:, None, None, None])
    contrast = uniform(0.5, 1.0)[:, None, None, None]
    brightness = (1.0 - contrast) * uniform(0.0, 1.0)[:, None, None, None]
    canvas = canvas * contrast + brightness
    canvas += _pixel_noise(words[:, PARAMETER_WORDS:]) * uniform(0.01, 0.17)[:, None, None, None]
    return np.floor(np.clip(canvas, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), labels


def _uniform_draws(words: np.ndarray) -> Draws:
    """A function that gives, at each call, the next uniform draw of every picture: float64 (count,)."""
    fractions = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    columns = iter(range(words.shape[1]))
    return lambda low, high: low + (high - low) * fractions[:, next(columns)]


def _digits(uniform: Draws) -> np.ndarray:
    """One digit for each picture: int64 (count,), 0 to 9."""
    return np.floor(uniform(0.0, 10.0)).astype(np.int64)


def _choose_glyph(uniform: Draws, glyphs_by_digit: list[np.ndarray], digit: np.ndarray) -> np.ndarray:
    """A glyph of the given digit for each picture: int64 indices (count,)."""
    position = uniform(0.0, 1.0)
    sizes = np.array([len(members) for members in glyphs_by_digit])
    starts = np.cumsum(sizes) - sizes
    return np.concatenate(glyphs_by_digit)[starts[digit] + np.floor(position * sizes[digit]).astype(np.int64)]


def _colours(uniform: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Ground colour and an ink colour that is brighter in every channel: two float64 arrays (count, 3).

    Ink of either sign would need a convolution's built-in edge detectors; a transformer learns them from
    scratch, for which the minutes of training at this scale are too short.
    """
    ground = np.stack([uniform(0.0, 0.5) for _ in range(3)], axis=1)
    step = np.stack([uniform(0.3, 0.8) for _ in range(3)], axis=1)
    return ground, np.minimum(ground + step, 1.0)


def _distractor_colour(uniform: Draws, ground: np.ndarray) -> np.ndarray:
    """A colour somewhere around the ground colour: float64 (count, 3)."""
    step = np.stack([uniform(-0.4, 0.5) for _ in range(3)], axis=1)
    return np.clip(ground + step, 0.0, 1.0)


def _pixel_grid() -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres: column and row positions, float64 of shapes (1, 1, 32) and (1, 32, 1)."""
    centres = np.arange(IMAGE_SIZE, dtype=np.float64) + 0.5
    return centres[None, None, :], centres[None, :, None]


def _background(uniform: Draws, ground: np.ndarray) -> np.ndarray:
    """Ground colour with a gradient and smooth blotches: float64 (count, 32, 32, 3)."""
    columns, rows = _pixel_grid()
    slope_x, slope_y = (uniform(-1.0, 1.0)[:, None, None] for _ in range(2))
    ramp = ((columns - 16.0) * slope_x + (rows - 16.0) * slope_y) / 32.0
    direction = np.stack([uniform(-0.25, 0.25) for _ in range(3)], axis=1)
    blotches = _upsampled(np.stack([uniform(-0.5, 0.5) for _ in range(25)], axis=1).reshape(-1, 5, 5))
    tint = np.stack([uniform(-0.3, 0.3) for _ in range(3)], axis=1)
    return (
        ground[:, None, None, :]
        + ramp[..., None] * direction[:, None, None, :]
        + blotches[..., None] * tint[:, None, None, :]
    )


def _upsampled(grid: np.ndarray) -> np.ndarray:
    """Bilinear enlargement of (count, 5, 5) to (count, 32, 32)."""
    position = np.arange(IMAGE_SIZE) * (4.0 / IMAGE_SIZE)
    low = np.floor(position).astype(np.int64)
    part = position - low
    rows = grid[:, low, :] * (1.0 - part)[None, :, None] + grid[:, low + 1, :] * part[None, :, None]
    return rows[:, :, low] * (1.0 - part) + rows[:, :, low + 1] * part


def _glyph(
    framed: np.ndarray,
    index: np.ndarray,
    *,
    centre_x: np.ndarray,
    centre_y: np.ndarray,
    size: np.ndarray,
    stretch: np.ndarray,
    half_tangent: np.ndarray,
) -> np.ndarray:
    """Ink of scaled, rotated and shifted glyphs, float64 (count, 32, 32), 0 to 1.

    ``size`` is the height of the glyph's 8x8 box in pixels, ``stretch`` its width divided by its height, and
    ``half_tangent`` the tangent of half the rotation angle.
    """
    columns, rows = _pixel_grid()
    scale = (1.0 + half_tangent * half_tangent)[:, None, None]
    sine = (2.0 * half_tangent)[:, None, None] / scale
    cosine = (1.0 - half_tangent * half_tangent)[:, None, None] / scale
    x = columns - centre_x[:, None, None]
    y = rows - centre_y[:, None, None]
    step = (GLYPH_SIZE / size)[:, None, None]
    middle = (framed.shape[1] - 1) / 2.0
    u = (x * cosine + y * sine) * (step / stretch[:, None, None]) + middle
    v = (y * cosine - x * sine) * step + middle
    # Clamping sends everything beyond the empty frame to its outermost row, where there is no ink.
    limit = framed.shape[1] - 1.001
    u, v = np.clip(u, 0.0, limit), np.clip(v, 0.0, limit)
    left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    u, v = u - left, v - top
    side = framed.shape[1]
    flat = framed.reshape(-1)
    base = index[:, None, None] * (side * side) + top * side + left
    upper = flat[base] * (1.0 - u) + flat[base + 1] * u
    lower = flat[base + side] * (1.0 - u) + flat[base + side + 1] * u
    return upper * (1.0 - v) + lower * v


def _fragment(uniform: Draws, framed: np.ndarray, glyphs_by_digit: list[np.ndarray]) -> np.ndarray:
    """Ink of one piece of a random glyph, cut by a straight line: float64 (count, 32, 32)."""
    centre_x, centre_y = uniform(0.0, 32.0), uniform(0.0, 32.0)
    ink = _glyph(
        framed,
        _choose_glyph(uniform, glyphs_by_digit, _digits(uniform)),
        centre_x=centre_x,
        centre_y=centre_y,
        size=uniform(10.0, 22.0),
        stretch=uniform(0.7, 1.4),
        half_tangent=uniform(-1.0, 1.0),
    )
    columns, rows = _pixel_grid()
    normal_x, normal_y = (uniform(-1.0, 1.0)[:, None, None] for _ in range(2))
    side = (columns - centre_x[:, None, None]) * normal_x + (rows - centre_y[:, None, None]) * normal_y
    return np.where(side > 0.0, ink, 0.0) * uniform(0.3, 0.9)[:, None, None]


def _stroke(uniform: Draws) -> np.ndarray:
    """Ink of one straight stroke of 1 to 3 pixels width: float64 (count, 32, 32), 0 to 1."""
    columns, rows = _pixel_grid()
    x, y = (uniform(0.0, 32.0)[:, None, None] for _ in range(2))
    along_x, along_y = (uniform(-16.0, 16.0)[:, None, None] for _ in range(2))
    width = uniform(0.5, 1.5)[:, None, None]
    off_x, off_y = columns - x, rows - y
    length = along_x * along_x + along_y * along_y + 1e-6
    part = np.clip((off_x * along_x + off_y * along_y) / length, 0.0, 1.0)
    gap_x, gap_y = off_x - part * along_x, off_y - part * along_y
    return np.clip(width + 0.5 - np.sqrt(gap_x * gap_x + gap_y * gap_y), 0.0, 1.0)


def _paint(canvas: np.ndarray, ink: np.ndarray, colour: np.ndarray) -> None:
    """Lay a colour (count, 3) over the canvas, in place, as thickly as the ink (count, 32, 32) says."""
    canvas += (colour[:, None, None, :] - canvas) * ink[..., None]


def _blur(canvas: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Mix the canvas with a 1-2-1 smoothing of itself, by a strength of 0 to 1."""
    edge = np.pad(canvas, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (edge[:, :-2] + edge[:, 2:]) * 0.25 + edge[:, 1:-1] * 0.5
    smooth = (rows[:, :, :-2] + rows[:, :, 2:]) * 0.25 + rows[:, :, 1:-1] * 0.5
    return canvas + (smooth - canvas) * strength


def _pixel_noise(words: np.ndarray) -> np.ndarray:
    """Triangular noise from -1 to 1 for each colour value: float64 (count, 32, 32, 3)."""
    # Little-endian bytes by decree, so that the order does not follow the machine's.
    values = np.ascontiguousarray(words.astype("<u8")).view(np.uint8).astype(np.float64)
    pairs = values.reshape(len(words), 2, IMAGE_SIZE, IMAGE_SIZE, 3)
    return (pairs[:, 0] + pairs[:, 1] - 255.0) / 255.0
