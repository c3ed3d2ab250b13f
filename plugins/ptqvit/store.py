"""Tensors kept in temporary files: one for all items of the same shape, appended to and read in blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

#: How many items of the shapes given (one for each operand) a block should have.
BlockSize = Callable[[Sequence[torch.Size]], int]


class Store:
    """Items of one or several tensors under a name, on disk in float32; use as a context manager.

    What is read is a copy; nothing of the files stays in memory but what the system caches.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="harness-ptqvit-", dir=folder)
        self._parts: dict[str, dict[tuple[torch.Size, ...], _Part]] = {}
        self._files = 0

    def append(self, name: str, tensors: Sequence[Tensor]) -> None:
        """Add items: tensors with the same first axis, one entry of it an item."""
        parts = self._parts.setdefault(name, {})
        shapes = tuple(tensor.shape[1:] for tensor in tensors)
        if shapes not in parts:
            folder = Path(self._folder.name)
            parts[shapes] = _Part(shapes, [folder / f"{self._files + side}.f32" for side in range(len(tensors))])
            self._files += len(tensors)
        parts[shapes].append(tensors)

    def count(self, name: str) -> int:
        """Items of all shapes."""
        return sum(part.count for part in self._parts.get(name, {}).values())

    def blocks(self, name: str, size: BlockSize, seed: int | None = None) -> Iterator[tuple[Tensor, ...]]:
        """All items, in blocks of one shape: in the order of arrival, or with ``seed`` in random order."""
        parts, lots = list(self._parts.get(name, {}).values()), []
        generator = torch.Generator()
        if seed is not None:
            generator.manual_seed(seed)
        for part in parts:
            order = torch.arange(part.count) if seed is None else torch.randperm(part.count, generator=generator)
            lots += [(part, chosen) for chosen in order.split(max(1, size(part.shapes)))]
        mixed = range(len(lots)) if seed is None or len(parts) == 1 else torch.randperm(
            len(lots), generator=generator).tolist()
        for index in mixed:
            part, chosen = lots[index]
            yield part.read(chosen)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self._parts.clear()
        self._folder.cleanup()


class _Part:
    """Items of the same shapes, a file for each operand."""

    def __init__(self, shapes: tuple[torch.Size, ...], files: Sequence[Path]) -> None:
        self.shapes, self.files, self.count = shapes, files, 0

    def append(self, tensors: Sequence[Tensor]) -> None:
        for file, tensor in zip(self.files, tensors, strict=True):
            with file.open("ab") as stream:
                stream.write(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
        self.count += len(tensors[0])

    def read(self, chosen: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(np.memmap(file, np.float32, "r", shape=(self.count, *shape))[chosen.numpy()])
                     for file, shape in zip(self.files, self.shapes, strict=True))
