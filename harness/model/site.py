"""Sites: the places in a model where one tensor is quantized, and the layout of their axes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..errors import QuantizationError
from .partition import Partition

GRANULARITIES = ("tensor", "channel", "head", "module", "module_head", "row")


@dataclass(frozen=True)
class HeadSplit:
    """How one axis is made of attention heads: ``parts`` fused modules (3 for qkv) of ``heads``."""

    axis: int
    heads: int
    parts: int = 1


@dataclass(frozen=True)
class Layout:
    """The trailing axes of a site's tensor.

    ``axes`` names them (``("out", "in")``, ``("token", "channel")``, ``("head", "query", "key")``);
    ``sizes`` gives their sizes, ``None`` where the input decides. Leading axes (batch, windows) are
    not listed. ``channel`` is the axis (negative) that channel-wise quantization uses, ``row`` the one
    of row-wise quantization (attention maps), ``split`` how heads lie along an axis.
    """

    axes: tuple[str, ...]
    sizes: tuple[int | None, ...]
    channel: int
    split: HeadSplit | None = None
    row: int | None = None

    @property
    def channels(self) -> int | None:
        """Number of channels, where the model fixes it."""
        return self.sizes[self.channel]

    @property
    def heads(self) -> int:
        """Number of attention heads along the split axis; 1 where there are none."""
        return self.split.heads if self.split else 1

    def partition(self, granularity: str, group: int = 0) -> Partition:
        """The partition of ``granularity``: one of :data:`GRANULARITIES`, or ``"group"``.

        ``"group"`` puts ``group`` consecutive channels into a slot (the last may be smaller). ``"head"``,
        ``"module"`` (q, k and v of a fused projection) and ``"module_head"`` use one slot for the whole
        tensor where the site has no heads. Raises :class:`QuantizationError` where the axis has no
        fixed size.
        """
        match granularity:
            case "tensor":
                return Partition.tensor()
            case "channel":
                return Partition.along(torch.arange(self._size(self.channel)), self.channel, "channel")
            case "group" if group > 0:
                index = torch.arange(self._size(self.channel)) // group
                return Partition.along(index, self.channel, f"group of {group}")
            case "head" | "module" | "module_head":
                return self._head_partition(granularity)
            case "row" if self.row is not None:
                return Partition.along(torch.arange(self._size(self.row)), self.row, "row")
        raise QuantizationError(f"granularity {granularity!r} does not fit axes {self.axes}",
                                f"Use one of {', '.join(GRANULARITIES)}, or group with its size")

    def _head_partition(self, granularity: str) -> Partition:
        if self.split is None:
            return Partition.tensor()
        size = self._size(self.split.axis)
        width = size // (self.split.heads * self.split.parts)
        position = torch.arange(size)
        head = position // width % self.split.heads
        part = position // (width * self.split.heads)
        index = {"head": head, "module": part, "module_head": part * self.split.heads + head}[granularity]
        return Partition.along(index, self.split.axis, granularity)

    def _size(self, axis: int) -> int:
        size = self.sizes[axis]
        if size is None:
            raise QuantizationError(f"axis {self.axes[axis]!r} has no fixed size",
                                    "Choose a granularity along an axis that the model fixes")
        return size


@dataclass(frozen=True)
class Site:
    """One place where one tensor is quantized.

    ``path``: unique name, ``operation`` path plus operand (``"blocks.0.mlp.fc1.weight"``,
    ``"blocks.0.attn.query"``). ``operand``: ``weight``, ``input``, ``query``, ``key``, ``attention`` or
    ``value``. ``role``: what it does, the same word in every architecture. ``block``: index of the
    repeated block in forward order, ``None`` outside of blocks.
    """

    path: str
    operation: str
    operand: str
    role: str
    block: int | None
    layout: Layout

    @property
    def is_weight(self) -> bool:
        """Whether the tensor is a parameter (else it is an activation)."""
        return self.operand == "weight"
