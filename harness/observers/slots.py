"""One row per slot, also where slots have different sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.partition import Partition


def slot_rows(partition: Partition, values: Tensor, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    """``values`` as ``(slots, longest)`` and the number of elements in each slot, ``(slots,)``.

    Shorter slots are padded with ``fill`` at the end; an empty slot is all ``fill``.
    """
    slots = partition.slots
    if slots == 1:
        return values.reshape(1, -1), torch.full((1,), values.numel(), device=values.device)
    counts = _sizes(partition, values)
    if bool((counts == counts[0]).all()):
        return partition.gather(values), counts
    slot = torch.broadcast_to(partition.index.to(values.device), values.shape).reshape(-1)
    order = torch.argsort(slot, stable=True)
    slot = slot[order]
    starts = counts.cumsum(0) - counts
    rows = values.new_full((slots, int(counts.max())), fill)
    rows[slot, torch.arange(len(slot), device=values.device) - starts[slot]] = values.reshape(-1)[order]
    return rows, counts


def _sizes(partition: Partition, values: Tensor) -> Tensor:
    """Elements per slot: each position of the index stands for the same number of elements."""
    positions = torch.bincount(partition.index.reshape(-1), minlength=partition.slots)
    return (positions * (values.numel() // partition.index.numel())).to(values.device)
