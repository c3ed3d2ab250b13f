"""A bounded sample of the operands of an attention product."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from harness import Partition


class ProductSample:
    """An observer of an attention product that keeps whole products, about ``limit`` left rows of them.

    A product of one batch entry is ``(head, n, k) @ (head, k, m)``; entries are drawn at random, the same
    for the same ``seed``. The first operand is kept as it is and ``transposed`` says whether the second is
    stored as ``(head, k, m)``, so that :attr:`left` and :attr:`right` are ``(groups, rows, inner)``.
    """

    def __init__(self, limit: int, batches: int, seed: int, transposed: bool) -> None:
        self.each, self.seed, self.transposed = math.ceil(limit / batches), seed, transposed
        self._left: list[Tensor] = []
        self._right: list[Tensor] = []
        self.heads = 1
        self.scale: Tensor | None = None

    def __call__(self, left: Tensor, right: Tensor, scale: float | Tensor = 1.0) -> None:
        """Take one batch of the product's inputs."""
        generator = torch.Generator().manual_seed(self.seed + len(self._left))
        entries = max(1, self.each // (left.shape[1] * left.shape[2]))
        chosen = torch.randperm(len(left), generator=generator)[:entries].sort().values.to(left.device)
        self._left.append(left.detach()[chosen])
        self._right.append(right.detach()[chosen])
        self.heads = left.shape[1]
        if isinstance(scale, Tensor):
            self.scale = scale.detach()

    @property
    def left(self) -> Tensor:
        return _stacked(self._left).flatten(0, 1)

    @property
    def right(self) -> Tensor:
        return self._oriented(_stacked(self._right)).flatten(0, 1)

    @property
    def weight(self) -> Tensor | None:
        """What each product is multiplied with, (groups,), where that is a tensor (one factor a head)."""
        if self.scale is None:
            return None
        entries = sum(len(part) for part in self._left)
        return self.scale.reshape(-1).expand(self.heads).repeat(entries)

    def slots(self, partition: Partition, side: str) -> Tensor | None:
        """The slot of each element of one side, shaped like it; ``None`` where there is one slot."""
        if partition.slots == 1:
            return None
        parts = _stacked(self._left if side == "left" else self._right)
        index = torch.broadcast_to(partition.index.to(parts.device), parts.shape)
        return (index if side == "left" else self._oriented(index)).flatten(0, 1)

    def _oriented(self, right: Tensor) -> Tensor:
        return right.mT if self.transposed else right


def _stacked(parts: list[Tensor]) -> Tensor:
    """All batches, (entry, head, rows, inner); shorter sentences are filled with zeros, which add nothing to sums."""
    rows, inner = (max(part.shape[axis] for part in parts) for axis in (-2, -1))
    return torch.cat([functional.pad(part, (0, inner - part.shape[-1], 0, rows - part.shape[-2])) for part in parts])
