"""Where the text beside a point goes, so that texts do not cover one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Mean width of a letter and height of a line of the labels, pixels, at their size of text.
SIZE, LETTER, LINE = 11.5, 6.0, 14.0

Align = Literal["left", "center", "right"]

#: Left, top, right, bottom in pixels.
Box = tuple[float, float, float, float]

#: Candidate places, the best first: alignment, and offset of the text's end nearest the point.
PLACES: tuple[tuple[Align, int, int], ...] = (
    ("left", 9, -8), ("left", 10, 0), ("left", 9, 9), ("right", -9, -8), ("right", -10, 0), ("right", -9, 9),
    ("center", 0, -15), ("center", 0, 15), ("left", 14, -20), ("left", 14, 20), ("right", -14, -20), ("right", -14, 20))


@dataclass(frozen=True)
class Place:
    """How a text lies beside its point: ``align`` and offsets in pixels, down is positive."""

    align: Align
    dx: int
    dy: int


class Paper:
    """A plot of ``width`` x ``height`` pixels on which texts find free places."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.taken: list[Box] = []

    def mark(self, x: float, y: float, radius: float = 5) -> None:
        """Keep texts off a mark."""
        self.taken.append((x - radius, y - radius, x + radius, y + radius))

    def line(self, y: float, text: str) -> Align:
        """Keep texts off a line across the plot; ``left`` or ``right``, where the text above it covers the least."""
        width = len(text) * LETTER
        ends: dict[Align, Box] = {"left": (0, y - 18, width, y - 2),
                                "right": (self.width - width, y - 18, self.width, y - 2)}
        best = min(ends, key=lambda end: sum(_overlap(ends[end], other) for other in self.taken))
        self.taken += [(0, y - 1, self.width, y + 1), ends[best]]
        return best

    def place(self, x: float, y: float, text: str) -> Place | None:
        """A free place for the text of the point ``(x, y)``, ``None`` where there is none."""
        for align, dx, dy in PLACES:
            box = _box(x + dx, y + dy, len(text) * LETTER, align)
            inside = box[0] >= 0 and box[1] >= -4 and box[2] <= self.width and box[3] <= self.height
            if inside and not any(_overlap(box, other) for other in self.taken):
                self.taken.append(box)
                return Place(align, dx, dy)
        return None


def _box(x: float, y: float, width: float, align: str) -> Box:
    left = {"left": x, "right": x - width, "center": x - width / 2}[align]
    return left, y - LINE / 2, left + width, y + LINE / 2


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
