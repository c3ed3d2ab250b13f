"""The mini image set: real handwritten digits on cluttered 32x32 colour pictures, made on the spot.

Nothing is downloaded: the glyphs are the 1,797 handwritten 8x8 digits that ship inside scikit-learn.
Every picture is a pure function of ``(VERSION, split, classes, index)``, so a split has the same bytes
on any machine, in any order and in pieces of any size. Train and test use disjoint sets of glyphs.

Importing this module costs nothing: numpy and scikit-learn are imported inside the functions.
"""

from __future__ import annotations

import hashlib
from functools import cache
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

TEST_GLYPHS = 597
"""How many of the 1,797 glyphs only the test split may use. The others only serve the train split."""

PARAMETER_WORDS = 256
"""Random 64-bit words of one picture that place and colour its parts."""

NOISE_BYTES = IMAGE_SIZE * IMAGE_SIZE * 3 * 2
"""Random bytes of one picture for pixel noise: two for each colour value."""

_WORDS_PER_IMAGE = PARAMETER_WORDS + NOISE_BYTES // 8
_WORDS_PER_COUNTER_STEP = 4  # Philox gives four 64-bit words for each step of its counter.
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
    glyphs, glyphs_by_digit = split_glyphs(split)
    for offset in range(0, count, _CHUNK):
        size = min(_CHUNK, count - offset)
        words = _random_words(split, start + offset, size, classes)
        chunk = slice(offset, offset + size)
        images[chunk], labels[chunk] = draw(words, glyphs, glyphs_by_digit, classes)
    return images, labels


@cache
def split_glyphs(split: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Glyphs that a split may use.

    Returns:
        All glyphs, float64 of shape (1797, 8, 8) with ink 0 to 1; and for each digit 0 to 9 the indices
        (int64, one-dimensional) of those glyphs that belong to this split.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Division by 16 is exact in binary: the file's values are the integers 0 to 16.
    glyphs = bunch.images.astype(np.float64) / 16.0
    digits = bunch.target.astype(np.int64)
    # A fixed shuffle from raw generator words: sorting integers has no rounding and no library version in it.
    keys = np.random.Philox(key=_key("glyph split")).random_raw(len(digits))
    order = np.argsort(keys, kind="stable")
    members = np.sort(order[:TEST_GLYPHS] if split == "test" else order[TEST_GLYPHS:])
    return glyphs, [members[digits[members] == digit] for digit in range(10)]


def _random_words(split: str, start: int, count: int, classes: int) -> np.ndarray:
    """Random words of consecutive pictures, uint64 of shape (count, words per picture).

    Philox is a counter-based generator, so picture i simply owns a fixed range of the counter. Only raw words
    are used: numpy promises them to be stable between its versions, which it does not for distributions.
    """
    import numpy as np

    counter = start * (_WORDS_PER_IMAGE // _WORDS_PER_COUNTER_STEP)
    generator = np.random.Philox(key=_key(f"{split} {classes}"), counter=counter)
    return generator.random_raw(count * _WORDS_PER_IMAGE).reshape(count, _WORDS_PER_IMAGE)


def _key(purpose: str) -> int:
    """A 128-bit generator key for one purpose of this version."""
    return int.from_bytes(hashlib.sha256(f"{VERSION} {purpose}".encode()).digest()[:16], "little")
