"""Observers of ranges: the base class, and the running minimum and maximum of each slot."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..errors import QuantizationError
from ..model.partition import Partition


class RangeObserver(ABC):
    """Takes the tensors of one site, a batch at a time, and proposes the range to quantize.

    The weight of a layer is a single batch. Memory does not grow with the number of batches.
    """

    def __init__(self, partition: Partition) -> None:
        self.partition = partition

    @abstractmethod
    def observe(self, tensor: Tensor) -> None:
        """Take one batch, all finite (:meth:`harness.Calibration.observe` sees to that)."""

    @abstractmethod
    def range(self) -> tuple[Tensor, Tensor]:
        """Lower and upper end of each slot, shape ``(slots,)`` each."""


class MinMax(RangeObserver):
    """Smallest and largest value seen in each slot."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(partition)
        self._bounds: tuple[Tensor, Tensor] | None = None

    def observe(self, tensor: Tensor) -> None:
        new = self.partition.reduce(tensor, "amin"), self.partition.reduce(tensor, "amax")
        self._bounds = new if self._bounds is None else self.merge(self._bounds, new)

    def merge(self, old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The bounds after a batch with the bounds ``new``."""
        return torch.minimum(old[0], new[0]), torch.maximum(old[1], new[1])

    def range(self) -> tuple[Tensor, Tensor]:
        return seen(self._bounds)


class MovingMinMax(MinMax):
    """Exponential moving average of each batch's bounds: ``m += rate * (batch - m)``.

    The first batch starts the average (Krishnamoorthi 2018; the rate .01 is FQ-ViT's).
    """

    def __init__(self, partition: Partition, rate: float = 0.01) -> None:
        super().__init__(partition)
        self.rate = rate

    def merge(self, old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return torch.lerp(old[0], new[0], self.rate), torch.lerp(old[1], new[1], self.rate)


def seen(bounds: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """``bounds``, or :class:`harness.QuantizationError` where no batch ever came."""
    if bounds is None:
        raise QuantizationError("no calibration data reached this site",
                                "Leave the site in full precision, or calibrate with inputs that use it")
    return bounds
