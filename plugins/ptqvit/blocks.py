"""Blocks of calibration inputs: small enough for the processor's caches, and for a race to be decided early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

_ELEMENTS = 1 << 17


def in_blocks(chunks: Iterable[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """Split each chunk of tensors along their first axes (equal lengths) into small blocks."""
    for chunk in chunks:
        each = max(tensor[0].numel() for tensor in chunk)
        yield from zip(*(tensor.split(max(1, _ELEMENTS // each)) for tensor in chunk), strict=True)
