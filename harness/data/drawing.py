"""Draws cluttered pictures of handwritten digits from random words, many pictures at once.

Only integer and elementwise float64 arithmetic is used: ``+ - * /``, square roots and comparisons. IEEE 754
fixes their results on every machine; sines, exponentials, matrix products and long float sums are not fixed
and would make the bytes depend on the processor. Rotations therefore use sine and cosine in rational form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .glyphs import Glyphs

GLYPH_SIZE = 8
_FRAME = 2  # Empty pixels around a glyph, so that interpolation beyond its edge reads no ink.


@dataclass(frozen=True)
class Ink:
    """How thickly a square window of each picture is covered.

    Attributes:
        amount: float64 of shape (count, side, side), 0 (bare) to 1 (covered).
        top: first row of each picture's window, int64 (count,).
        left: first column of each picture's window, int64 (count,).
    """

    amount: np.ndarray
    top: np.ndarray
    left: np.ndarray

    def thinned(self, factor: np.ndarray) -> Ink:
        """The same ink times a factor for each picture, (count,)."""
        return replace(self, amount=self.amount * factor[:, None, None])


class Drawing:
    """A batch of square RGB pictures in the making.

    Args:
        words: uint64 of shape (count, words): each picture's random words, used up one by one.
        size: height and width of the pictures, in pixels.
        glyphs: the digits to draw.

    ``canvas`` is float64 of shape (count, size, size, 3), 0 to 1 for colours that can be shown.
    """

    def __init__(self, words: np.ndarray, size: int, glyphs: Glyphs) -> None:
        self.canvas = np.zeros((len(words), size, size, 3))
        self._size = size
        self._fractions = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        self._next = 0
        self._glyphs = glyphs
        self._framed = np.pad(glyphs.ink, ((0, 0), (_FRAME, _FRAME), (_FRAME, _FRAME)))

    def uniform(self, low: float, high: float) -> np.ndarray:
        """The next uniform draw of every picture, float64 (count,). ``IndexError`` when the words are used up."""
        fraction = self._fractions[:, self._next]
        self._next += 1
        return low + (high - low) * fraction

    def digits(self) -> np.ndarray:
        """One digit for each picture: int64 (count,), 0 to 9."""
        return np.floor(self.uniform(0.0, 10.0)).astype(np.int64)

    def glyph_of(self, digit: np.ndarray) -> np.ndarray:
        """A glyph of the given digit for each picture: int64 indices (count,)."""
        position = self.uniform(0.0, 1.0)
        sizes = np.array([len(members) for members in self._glyphs.by_digit])
        starts = np.cumsum(sizes) - sizes
        place = starts[digit] + np.floor(position * sizes[digit]).astype(np.int64)
        return np.concatenate(self._glyphs.by_digit)[place]

    def ground_and_ink_colour(self) -> tuple[np.ndarray, np.ndarray]:
        """Ground colour and an ink colour that is brighter in every channel: two float64 arrays (count, 3).

        Ink of either sign would need a convolution's built-in edge detectors; a transformer learns them from
        scratch, for which the minutes of training at this scale are too short.
        """
        ground = np.stack([self.uniform(0.0, 0.5) for _ in range(3)], axis=1)
        return ground, self.brighter(ground)

    def brighter(self, ground: np.ndarray) -> np.ndarray:
        """An ink colour that is brighter than the ground in every channel: float64 (count, 3)."""
        step = np.stack([self.uniform(0.3, 0.8) for _ in range(3)], axis=1)
        return np.minimum(ground + step, 1.0)

    def distractor_colour(self, ground: np.ndarray) -> np.ndarray:
        """A colour somewhere around the ground colour: float64 (count, 3)."""
        step = np.stack([self.uniform(-0.4, 0.5) for _ in range(3)], axis=1)
        return np.clip(ground + step, 0.0, 1.0)

    def lay_ground(self, ground: np.ndarray) -> None:
        """Cover the canvas with the ground colour (count, 3), a gradient and smooth blotches."""
        columns, rows = _pixel_grid(self._size)
        slope_x, slope_y = (self.uniform(-1.0, 1.0)[:, None, None] for _ in range(2))
        middle = self._size / 2.0
        ramp = ((columns - middle) * slope_x + (rows - middle) * slope_y) / self._size
        direction = np.stack([self.uniform(-0.25, 0.25) for _ in range(3)], axis=1)
        blotches = np.stack([self.uniform(-0.5, 0.5) for _ in range(25)], axis=1).reshape(-1, 5, 5)
        tint = np.stack([self.uniform(-0.3, 0.3) for _ in range(3)], axis=1)
        self.canvas = (
            ground[:, None, None, :]
            + ramp[..., None] * direction[:, None, None, :]
            + _upsampled(blotches, self._size)[..., None] * tint[:, None, None, :]
        )

    def stroke(self) -> Ink:
        """One straight stroke of 1 to 3 pixels width, at most half as high and as wide as the picture."""
        columns, rows = _pixel_grid(self._size)
        x, y = (self.uniform(0.0, self._size)[:, None, None] for _ in range(2))
        half = self._size / 2.0
        along_x, along_y = (self.uniform(-half, half)[:, None, None] for _ in range(2))
        width = self.uniform(0.5, 1.5)[:, None, None]
        off_x, off_y = columns - x, rows - y
        length = along_x * along_x + along_y * along_y + 1e-6
        part = np.clip((off_x * along_x + off_y * along_y) / length, 0.0, 1.0)
        gap_x, gap_y = off_x - part * along_x, off_y - part * along_y
        amount = np.clip(width + 0.5 - np.sqrt(gap_x * gap_x + gap_y * gap_y), 0.0, 1.0)
        corner = np.zeros(len(amount), dtype=np.int64)
        return Ink(amount, corner, corner)

    def glyph(self, index: np.ndarray, *, centre_x: np.ndarray, centre_y: np.ndarray, size: np.ndarray,
              stretch: np.ndarray, half_tangent: np.ndarray, side: int | None = None) -> Ink:
        """A scaled, rotated and shifted glyph for each picture.

        Args:
            index: which glyphs, int64 (count,).
            centre_x, centre_y: where their middles lie in the pictures, in pixels.
            size: height of the glyph's 8x8 box, in pixels.
            stretch: its width divided by its height.
            half_tangent: the tangent of half the rotation angle.
            side: side of the window that is drawn, in pixels; nothing of the glyph is drawn outside of it.
                Without it, the whole picture.
        """
        side = side or self._size
        left, top = (np.clip(np.floor(centre).astype(np.int64) - side // 2, 0, self._size - side)
                     for centre in (centre_x, centre_y))
        columns, rows = _pixel_grid(side)
        scale = (1.0 + half_tangent * half_tangent)[:, None, None]
        sine = (2.0 * half_tangent)[:, None, None] / scale
        cosine = (1.0 - half_tangent * half_tangent)[:, None, None] / scale
        x = columns - (centre_x - left)[:, None, None]
        y = rows - (centre_y - top)[:, None, None]
        step = (GLYPH_SIZE / size)[:, None, None]
        middle = (self._framed.shape[1] - 1) / 2.0
        u = (x * cosine + y * sine) * (step / stretch[:, None, None]) + middle
        v = (y * cosine - x * sine) * step + middle
        return Ink(self._interpolated(index, u, v), top, left)

    def fragment(self, low: float, high: float, side: int | None = None) -> Ink:
        """One piece of a random glyph, ``low`` to ``high`` pixels high, cut by a straight line through its middle."""
        centre_x, centre_y = self.uniform(0.0, self._size), self.uniform(0.0, self._size)
        whole = self.glyph(self.glyph_of(self.digits()), centre_x=centre_x, centre_y=centre_y,
                           size=self.uniform(low, high), stretch=self.uniform(0.7, 1.4),
                           half_tangent=self.uniform(-1.0, 1.0), side=side)
        columns, rows = _pixel_grid(whole.amount.shape[1])
        normal_x, normal_y = (self.uniform(-1.0, 1.0)[:, None, None] for _ in range(2))
        beyond = ((columns - (centre_x - whole.left)[:, None, None]) * normal_x
                  + (rows - (centre_y - whole.top)[:, None, None]) * normal_y)
        return replace(whole, amount=np.where(beyond > 0.0, whole.amount, 0.0)).thinned(self.uniform(0.3, 0.9))

    def paint(self, ink: Ink, colour: np.ndarray) -> None:
        """Lay a colour (count, 3) over the canvas, as thickly as the ink says."""
        side = ink.amount.shape[1]
        for canvas, amount, top, left, rgb in zip(self.canvas, ink.amount, ink.top, ink.left, colour, strict=True):
            window = canvas[top:top + side, left:left + side]
            window += (rgb - window) * amount[..., None]

    def blur(self, strength: np.ndarray) -> None:
        """Mix each picture with a 1-2-1 smoothing of itself, by a strength (count,) of 0 to 1."""
        edge = np.pad(self.canvas, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        rows = (edge[:, :-2] + edge[:, 2:]) * 0.25 + edge[:, 1:-1] * 0.5
        smooth = (rows[:, :, :-2] + rows[:, :, 2:]) * 0.25 + rows[:, :, 1:-1] * 0.5
        self.canvas = self.canvas + (smooth - self.canvas) * strength[:, None, None, None]

    def flatten(self, contrast: np.ndarray) -> None:
        """Shrink the range of values to a part (count,) of it, at a random brightness."""
        factor = contrast[:, None, None, None]
        brightness = (1.0 - factor) * self.uniform(0.0, 1.0)[:, None, None, None]
        self.canvas = self.canvas * factor + brightness

    def finish(self, words: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The pictures: uint8 of shape (count, size, size, 3).

        ``words``, uint64 of shape (count, size * size * 3 / 4), make a triangular noise for each value, of an
        amplitude (count,) on the scale 0 to 1.
        """
        # Little-endian bytes by decree, so that the order does not follow the machine's.
        values = np.ascontiguousarray(words.astype("<u8")).view(np.uint8).astype(np.float64)
        pairs = values.reshape(len(words), 2, self._size, self._size, 3)
        noisy = self.canvas + (pairs[:, 0] + pairs[:, 1] - 255.0) / 255.0 * noise[:, None, None, None]
        return np.floor(np.clip(noisy, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    def _interpolated(self, index: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Bilinear ink of the framed glyphs at columns ``u`` and rows ``v``, (count, side, side)."""
        side = self._framed.shape[1]
        # Clamping sends everything beyond the empty frame to its outermost row, where there is no ink.
        u, v = np.clip(u, 0.0, side - 1.001), np.clip(v, 0.0, side - 1.001)
        left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        u, v = u - left, v - top
        flat = self._framed.reshape(-1)
        base = index[:, None, None] * (side * side) + top * side + left
        upper = flat[base] * (1.0 - u) + flat[base + 1] * u
        lower = flat[base + side] * (1.0 - u) + flat[base + side + 1] * u
        return upper * (1.0 - v) + lower * v


def _pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres: column and row positions, float64 of shapes (1, 1, size) and (1, size, 1)."""
    centres = np.arange(size, dtype=np.float64) + 0.5
    return centres[None, None, :], centres[None, :, None]


def _upsampled(grid: np.ndarray, size: int) -> np.ndarray:
    """Bilinear enlargement of (count, 5, 5) to (count, size, size)."""
    position = np.arange(size) * (4.0 / size)
    low = np.floor(position).astype(np.int64)
    part = position - low
    rows = grid[:, low, :] * (1.0 - part)[None, :, None] + grid[:, low + 1, :] * part[None, :, None]
    return rows[:, :, low] * (1.0 - part) + rows[:, :, low + 1] * part
