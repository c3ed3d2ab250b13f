"""What training sees of a sample: views that are named by numbers, so that any step can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch

from ..method import Batch, Samples


@dataclass(frozen=True)
class View:
    """One look at sample ``index``. ``seed`` decides its augmentation; ``None``: as it is evaluated."""

    index: int
    seed: int | None = None


class TrainingSamples(Protocol):
    """Samples to learn from. A view always gives the same tensors, in any order and on any machine."""

    ids: Sequence[str]

    def batch(self, views: Sequence[View]) -> Batch:
        """The views, in order, as one batch with targets."""
        ...


class Unaugmented:
    """Training samples whose views are all alike: the evaluated form."""

    def __init__(self, samples: Samples) -> None:
        self._samples, self.ids = samples, samples.ids

    def batch(self, views: Sequence[View]) -> Batch:
        """See :class:`TrainingSamples`."""
        return next(iter(self._samples.batches([view.index for view in views], len(views))))


class ViewStream:
    """The views of every step: passes over all samples in random order, ``crops`` views of each at a time.

    A function of the seed and the step alone, so that a resumed training goes on with what it would have seen. An
    epoch is as many views as there are samples. ``bank``: views come from so many fixed ones of each sample.
    """

    def __init__(self, count: int, batch_size: int, seed: int, crops: int = 1, bank: int | None = None) -> None:
        self.crops, self._bank, self._seed, self._count = crops, bank, seed, count
        self._samples = max(1, min(batch_size // crops, count))
        self._steps_per_pass = max(1, count // self._samples)  # the last, smaller batch of a pass is left out
        self.batch_size = self._samples * crops
        self.steps_per_epoch = max(1, self._steps_per_pass // crops)
        self._drawn = lru_cache(maxsize=2)(self._draw)

    def views(self, step: int) -> list[View]:
        """The views of ``step`` (0, 1, ...)."""
        number, place = divmod(step, self._steps_per_pass)
        order, seeds = self._drawn(number)
        chosen = slice(place * self._samples, (place + 1) * self._samples)
        return [View(index, seed) for index, row in zip(order[chosen].tolist(), seeds[chosen].tolist(), strict=True)
                for seed in row]

    def _draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Order of the samples in a pass, and the seeds of their views."""
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + number) % 2**63)
        order = torch.randperm(self._count, generator=generator)
        return order, torch.randint(self._bank or 2**31, (self._count, self.crops), generator=generator)
