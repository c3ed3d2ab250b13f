"""The partition: which parameter slot each position of a tensor uses.

Layer-wise, channel-wise, head-wise, module-wise and group-wise quantization differ in this index
map only. The index broadcasts against the trailing axes of the tensor, so ``scale[index]`` is the
scale of every element without any code per granularity::

    tensor             index ()           every position uses slot 0
    channel, (N, C)    index (C,)         0, 1, ..., C-1
    channel, (O, I)    index (O, 1)
    head,    (H, N, d) index (H, 1, 1)
    group of n         index (C,)         channel // n
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import QuantizationError


@dataclass(frozen=True, eq=False)
class Partition:
    """``index``: int64, broadcastable against the trailing axes; ``slots``: how many there are.

    ``granularity`` is the word shown in a record's coverage.
    """

    index: Tensor
    slots: int
    granularity: str
    _copies: dict[torch.device, Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def tensor(cls) -> Partition:
        """One slot for the whole tensor."""
        return cls(torch.zeros((), dtype=torch.int64), 1, "tensor")

    @classmethod
    def along(cls, index: Tensor, axis: int, granularity: str) -> Partition:
        """Slots along one axis (negative, counted from the end); ``index`` has that axis' size."""
        if axis >= 0:
            raise ValueError(f"axis must count from the end, got {axis}")
        shape = [len(index)] + [1] * (-axis - 1)
        return cls(index.to(torch.int64).reshape(shape), int(index.max()) + 1, granularity)

    def spread(self, slots: Tensor) -> Tensor:
        """Per-slot values, shape ``(slots,)``, as a tensor that broadcasts against the data."""
        return slots if self.slots == 1 else slots[self._on(slots.device)]

    def reduce(self, values: Tensor, how: str) -> Tensor:
        """``amin``, ``amax``, ``sum`` or ``mean`` of ``values`` over each slot, shape ``(slots,)``."""
        if self.slots == 1:
            return getattr(torch, how)(values).reshape(1)
        axes = self._partitioned_axes(values.dim())
        others = [axis for axis in range(values.dim()) if axis not in axes]
        folded = getattr(torch, how)(values, dim=others) if others else values
        flat = folded.reshape(-1)
        index = self._on(values.device).reshape(-1)
        if self.slots == flat.numel():
            return torch.empty_like(flat).scatter_(0, index, flat)
        start = torch.zeros(self.slots, dtype=flat.dtype, device=flat.device)
        return start.scatter_reduce(0, index, flat, reduce=how, include_self=False)

    def gather(self, values: Tensor) -> Tensor:
        """``values`` as one row per slot, shape ``(slots, elements)``.

        Raises :class:`QuantizationError` where slots have unequal sizes.
        """
        if self.slots == 1:
            return values.reshape(1, -1)
        if len(self.index.reshape(-1).bincount(minlength=self.slots).unique()) > 1:
            raise QuantizationError(f"slots of unequal sizes ({self.granularity}) do not form rows",
                                    "Use a group size that divides the number of channels")
        axes = self._partitioned_axes(values.dim())
        others = [axis for axis in range(values.dim()) if axis not in axes]
        rows = values.permute(axes + others).reshape(self.index.numel(), -1)
        order = torch.argsort(self.index.reshape(-1), stable=True).to(values.device)
        return rows[order].reshape(self.slots, -1)

    def _on(self, device: torch.device) -> Tensor:
        """The index on ``device``, copied there once."""
        if device == self.index.device:
            return self.index
        if device not in self._copies:
            self._copies[device] = self.index.to(device)
        return self._copies[device]

    def _partitioned_axes(self, dim: int) -> list[int]:
        offset = dim - self.index.dim()
        return [offset + axis for axis, size in enumerate(self.index.shape) if size > 1]
