"""The mini detection set: scenes of several real handwritten digits, with instance masks, made on the spot.

Nothing is downloaded, and every scene is a pure function of ``(VERSION, split, index)``, so a split has the
same bytes on any machine, in any order and in pieces of any size. Train and test use disjoint sets of glyphs,
the same ones as the mini classification task.

Importing this module costs nothing: numpy is imported inside the functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

VERSION = "digit-scenes-1"
"""Name of this exact set of scenes. It enters the data fingerprint: change it with any change of pixels or masks."""

IMAGE_SIZE = 128
"""Height and width of a scene, in pixels."""

SPLIT_SIZES: dict[str, int] = {"train": 20_000, "test": 500}
"""Scenes in each split. The first few hundred train scenes are the calibration pool."""

CLASSES = tuple(str(digit) for digit in range(10))
"""Names of the classes; an instance's label is an index into them."""

PARAMETER_WORDS = 256
"""Random 64-bit words of one scene that place and colour its parts."""

NOISE_WORDS = IMAGE_SIZE * IMAGE_SIZE * 3 // 4
"""Random 64-bit words of one scene for pixel noise: two bytes for each colour value."""

_CHUNK = 16  # Scenes drawn at once: few enough that their arrays stay in the processor's cache.


@dataclass(frozen=True)
class Instance:
    """One digit of a scene: what can be seen of it.

    Attributes:
        label: the digit, 0 to 9.
        left, top: first column and row of its box, in pixels.
        mask: its visible pixels inside of the box, bool of shape (height, width). The box is tight: each of
            its border rows and columns has a visible pixel.
    """

    label: int
    left: int
    top: int
    mask: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """COCO's box: left, top, width, height."""
        height, width = self.mask.shape
        return self.left, self.top, width, height

    def picture_mask(self) -> np.ndarray:
        """The mask in the whole scene: bool of shape (128, 128)."""
        import numpy as np

        whole = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=bool)
        height, width = self.mask.shape
        whole[self.top:self.top + height, self.left:self.left + width] = self.mask
        return whole


def generate(split: str, start: int, count: int) -> tuple[np.ndarray, list[list[Instance]]]:
    """Draw scenes ``start .. start + count - 1`` of a split.

    Args:
        split: ``"train"`` or ``"test"``.
        start: index of the first scene, from 0.
        count: number of scenes; the last one must lie inside the split.

    Returns:
        Pictures, uint8 of shape (count, 128, 128, 3) in RGB, 0 to 255; and the instances of each scene, those
        behind before those in front. The same index always gives the same scene, whatever ``start`` and
        ``count`` were.
    """
    import numpy as np

    from harness import random_words, split_glyphs

    from .scene_drawing import draw

    if split not in SPLIT_SIZES:
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLIT_SIZES)}")
    if start < 0 or count < 0 or start + count > SPLIT_SIZES[split]:
        raise ValueError(f"scenes {start} to {start + count - 1} are outside the {split} split of {SPLIT_SIZES[split]}")
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    instances: list[list[Instance]] = []
    for offset in range(0, count, _CHUNK):
        size = min(_CHUNK, count - offset)
        words = random_words(f"{VERSION} {split}", start + offset, size, PARAMETER_WORDS + NOISE_WORDS)
        images[offset:offset + size], drawn = draw(words, split_glyphs(split))
        instances += drawn
    return images, instances
