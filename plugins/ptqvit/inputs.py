"""The inputs of one operation as its search sees them, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .store import BlockSize

#: Elements of a block: small enough for the processor's caches, and for a race to be decided early.
_ELEMENTS = 1 << 17
#: A matrix product with fewer rows spends its time on reading the other matrix.
_ROWS = 64

#: Blocks of a size, in the order of arrival or in the random order of a seed.
Blocks = Callable[[BlockSize, int | None], Iterator[tuple[Tensor, ...]]]


class Inputs:
    """What was kept of one operation's inputs: ``count`` items (rows of a layer, entries of a product's batch).

    ``bounds``: operand -> smallest and largest value of each slot, over everything that was seen.
    ``scale``: what a product is multiplied with; ``rows_of_entry``: of its left operand, before any were left out.
    """

    def __init__(self, blocks: Blocks, count: int, bounds: Mapping[str, tuple[Tensor, Tensor]],
                 device: torch.device | str = "cpu", seed: int = 0, scale: float | Tensor = 1.0,
                 rows_of_entry: float = 0.0) -> None:
        self._blocks, self.count, self.bounds = blocks, count, bounds
        self.device, self.seed, self.scale, self.rows_of_entry = torch.device(device), seed, scale, rows_of_entry

    def blocks(self, size: BlockSize, shuffled: bool = False) -> Iterator[tuple[Tensor, ...]]:
        """All items; ``shuffled``: in random order, the same at every call, so that each block is a sample."""
        for tensors in self._blocks(size, self.seed if shuffled else None):
            yield tuple(tensor.to(self.device) for tensor in tensors)


def small_rows(shapes: Sequence[torch.Size]) -> int:
    """Rows of a layer for a block that fits into caches."""
    return max(_ROWS, _ELEMENTS // shapes[0].numel())


def gram_rows(shapes: Sequence[torch.Size]) -> int:
    """Rows of a layer for a Gram matrix, which costs as much to add up as as many rows cost to multiply."""
    return max(small_rows(shapes), shapes[0].numel())


def small_entries(shapes: Sequence[torch.Size]) -> int:
    """Entries of a product's batch for a block that fits into caches."""
    return max(1, _ELEMENTS // max(shape.numel() for shape in shapes))
