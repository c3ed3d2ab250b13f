"""Real handwritten digits and raw random words: what the pictures of the mini scale are drawn from.

Nothing is downloaded: the glyphs are the 1,797 handwritten 8x8 digits that ship inside scikit-learn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

TEST_GLYPHS = 597
"""How many of the 1,797 glyphs only test splits may use. The others only serve train splits."""

_SPLIT = "digits-clutter-1 glyph split"  # One for all tasks: what a model trained on, no task tests with.


@dataclass(frozen=True)
class Glyphs:
    """Handwritten digits.

    Attributes:
        ink: all 1,797 glyphs, float64 of shape (1797, 8, 8), 0 to 1.
        by_digit: for each digit 0 to 9 the indices (int64, one-dimensional) that a split may use.
    """

    ink: np.ndarray
    by_digit: tuple[np.ndarray, ...]


@cache
def split_glyphs(split: str) -> Glyphs:
    """The glyphs that ``"train"`` or ``"test"`` may use: disjoint sets, the same for every task."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Division by 16 is exact in binary: the file's values are the integers 0 to 16.
    ink = bunch.images.astype(np.float64) / 16.0
    digits = bunch.target.astype(np.int64)
    # A fixed shuffle from raw generator words: sorting integers has no rounding and no library version in it.
    keys = np.random.Philox(key=_key(_SPLIT)).random_raw(len(digits))
    order = np.argsort(keys, kind="stable")
    members = np.sort(order[:TEST_GLYPHS] if split == "test" else order[TEST_GLYPHS:])
    return Glyphs(ink, tuple(members[digits[members] == digit] for digit in range(10)))


def random_words(purpose: str, start: int, count: int, words: int) -> np.ndarray:
    """Random 64-bit words of items ``start .. start + count - 1``, uint64 of shape (count, words).

    An item's words depend on ``purpose``, ``words`` and its own index only. ``words`` is a multiple of 4.
    Philox is a counter-based generator, so item i simply owns a fixed range of the counter, in which each
    step gives four words. Only raw words are used: numpy promises them to be stable between its versions,
    which it does not for distributions.
    """
    generator = np.random.Philox(key=_key(purpose), counter=start * (words // 4))
    return generator.random_raw(count * words).reshape(count, words)


def _key(purpose: str) -> int:
    """A 128-bit generator key."""
    return int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:16], "little")
