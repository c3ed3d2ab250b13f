"""Seeded choices of one generated row: the same on every machine, Python version and hash seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Draw:
    """A stream of choices that is a function of its name alone.

    Only ``random.Random.random`` is used, with a string as the seed: of Python's generator, this is what is promised
    not to change between versions.

    Args:
        name: names the stream, for example version, task, split and index of a row.
    """

    def __init__(self, name: str) -> None:
        self._random = random.Random(name).random

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, each as likely."""
        return items[int(self._random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in a random order."""
        left = list(items)
        return [left.pop(int(self._random() * len(left))) for _ in range(len(left))]
