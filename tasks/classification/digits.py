"""The mini image set: real handwritten digits on cluttered 32x32 colour pictures, made on the spot.

Nothing is downloaded, and every picture is a pure function of ``(VERSION, split, classes, index)``, so a split
has the same bytes on any machine, in any order and in pieces of any size. Train and test use disjoint sets of glyphs.

Importing this module costs nothing: numpy is imported inside the function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

VERSION = "digits-clutter-1"
"""Name of this exact set of pictures. It enters the data fingerprint: change it with any change of pixels."""

IMAGE_SIZE = 32
"""Height and width of a picture, in pixels."""

SPLIT_SIZES: dict[str, int] = {"train": 400_000, "test": 4_000}
"""Pictures in each split. The first few thousand train pictures are the calibration pool."""

CLASS_COUNTS = (10, 100)
"""Numbers of classes on offer: 10 is one digit; 100 is two digits side by side, label 10 * left + right."""

PARAMETER_WORDS = 256
"""Random 64-bit words of one picture that place and colour its parts."""

NOISE_BYTES = IMAGE_SIZE * IMAGE_SIZE * 3 * 2
"""Random bytes of one picture for pixel noise: two for each colour value."""

_CHUNK = 512  # Pictures drawn at once: enough to vectorise well, small enough to stay in cache and memory.


def generate(split: str, start: int, count: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Draw pictures ``start .. start + count - 1`` of a split.

    Args:
        split: ``"train"`` or ``"test"``.
        start: index of the first picture, from 0.
        count: number of pictures; the last one must lie inside the split.
        classes: 10 (one digit) or 100 (two digits side by side).

    Returns:
        Pictures, uint8 of shape (count, 32, 32, 3) in RGB, 0 to 255; and labels, int64 of shape (count,).
        The same index always gives the same picture, whatever ``start`` and ``count`` were.
    """
    import numpy as np

    from harness import random_words, split_glyphs

    from .digit_drawing import draw

    if split not in SPLIT_SIZES:
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLIT_SIZES)}")
    if classes not in CLASS_COUNTS:
        raise ValueError(f"classes must be one of {CLASS_COUNTS}, not {classes}")
    if start < 0 or count < 0 or start + count > SPLIT_SIZES[split]:
        raise ValueError(
            f"pictures {start} to {start + count - 1} are outside the {split} split of {SPLIT_SIZES[split]}"
        )
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    labels = np.empty((count,), dtype=np.int64)
    glyphs = split_glyphs(split)
    for offset in range(0, count, _CHUNK):
        size = min(_CHUNK, count - offset)
        words = random_words(f"{VERSION} {split} {classes}", start + offset, size, PARAMETER_WORDS + NOISE_BYTES // 8)
        chunk = slice(offset, offset + size)
        images[chunk], labels[chunk] = draw(words, glyphs, classes)
    return images, labels
