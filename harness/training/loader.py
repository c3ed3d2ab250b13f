"""Loading the batch of the next step while this one is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..method import Batch
from .views import View


class Loader:
    """Loads the batch of the next step while this one is computed."""

    def __init__(self, load: Callable[[Sequence[View]], Batch], views: Callable[[int], Sequence[View]],
                 steps: int) -> None:
        self._load, self._views, self._steps = load, views, steps
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[Batch]] | None = None

    def batch(self, step: int) -> tuple[Sequence[View], Batch]:
        """The views of ``step`` and their batch."""
        views = self._views(step)
        waiting = self._next[1] if self._next and self._next[0] == step else self._pool.submit(self._load, views)
        batch = waiting.result()
        if step + 1 < self._steps:
            self._next = step + 1, self._pool.submit(self._load, self._views(step + 1))
        return views, batch

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(cancel_futures=True)
