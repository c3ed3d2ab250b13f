"""What is kept of an operation's calls: a bounded random sample of the rows of each picture.

Random rows of all pictures stand for all rows: the sums that candidates are compared by are means over them. The
rows of a classification transformer's picture are few and all kept; a detector's are a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .rows import row_count, row_width, rows_at

#: Of rows with more elements than this, fewer are kept, in proportion.
_WIDE = 4096

#: Takes tensors with the same first axis, one entry of it an item.
Write = Callable[[Sequence[Tensor]], None]


def allowed(rows: int, width: int) -> int:
    """Rows of ``width`` elements that are kept of a picture; ``rows``: of the options, 0 for all."""
    return max(1, min(rows, rows * _WIDE // width)) if rows else 1 << 62


class LayerSample:
    """Rows of a layer's input, drawn evenly over all calls of a forward; an item is a row."""

    def __init__(self, operation: Any, rows: int, generator: torch.Generator, write: Write) -> None:
        self.operation, self.generator, self.write = operation, generator, write
        self.each = allowed(rows, row_width(operation))
        self._kept: list[tuple[Tensor, Tensor]] = []  # random keys and rows: those of least keys stay

    def take(self, tensors: Sequence[Tensor], pictures: int) -> None:
        """One call, in a forward of so many pictures."""
        keys = torch.rand(row_count(self.operation, tensors[0]), generator=self.generator, dtype=torch.float64)
        chosen = _least(keys, pictures * self.each)
        self._kept.append((keys[chosen], rows_at(self.operation, tensors[0], chosen.to(tensors[0].device))))

    def finish(self, pictures: int) -> None:
        """The forward is over: write its sample."""
        if self._kept:
            keys, rows = (torch.cat(parts) for parts in zip(*self._kept, strict=True))
            self.write([rows[_least(keys, pictures * self.each).to(rows.device)]])
            self._kept.clear()


class ProductSample:
    """Matrices of both operands (batch, head, ., .), drawn for each call; an item is an entry of the batch.

    Of the left operand at most so many rows are kept of an entry (a long attention map), and so many of
    all entries of a picture (the windows of a window attention); the right operand is kept whole.
    """

    def __init__(self, rows: int, generator: torch.Generator, write: Write) -> None:
        self.rows, self.generator, self.write = rows, generator, write
        self._entries, self._rows = 0, 0

    @property
    def rows_of_entry(self) -> float:
        """Rows that an entry's left operand had, on average, before any were left out."""
        return self._rows / max(1, self._entries)

    def take(self, tensors: Sequence[Tensor], pictures: int) -> None:
        """One call, in a forward of so many pictures."""
        left, right = tensors
        entries, rows = len(left), left.shape[-2]
        self._entries, self._rows = self._entries + entries, self._rows + entries * rows
        each = allowed(self.rows, left[0].numel() // rows)
        if entries * rows > pictures * each:
            kept = min(rows, each)
            chosen = _least(self._keys(entries), max(1, pictures * each // kept)).to(left.device)
            left, right = left[chosen], right[chosen]
            left = left[..., _least(self._keys(rows), kept).to(left.device), :]
        self.write([left, right])

    def finish(self, pictures: int) -> None:
        """Nothing waits for the end of a forward."""

    def _keys(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator, dtype=torch.float64)


def _least(keys: Tensor, limit: int) -> Tensor:
    """Positions of the ``limit`` smallest keys (all of them, if there are fewer), ascending."""
    if len(keys) <= limit:
        return torch.arange(len(keys))
    return keys.topk(limit, largest=False, sorted=False).indices.sort().values


def rows_of_call(operation: Any, inputs: Sequence[Tensor]) -> tuple[int, int]:
    """How many rows a call has, and the elements of one."""
    if getattr(operation, "weight", None) is not None:
        return row_count(operation, inputs[0]), row_width(operation)
    rows = inputs[0].shape[0] * inputs[0].shape[-2]
    return rows, inputs[0].numel() // rows
