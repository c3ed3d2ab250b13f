"""The phases of one run: named, timed, announced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PHASES = ("build", "place", "calibrate", "train", "evaluate", "cost")


class Phases:
    """``with phases("calibrate"): ...`` times the phase and remembers which one was entered last."""

    def __init__(self, announce: Callable[[str], None] = lambda phase: None) -> None:
        self.seconds: dict[str, float] = {}
        self.current = ""
        self._announce = announce

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.current = name
        self._announce(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
