"""Quantizers of expanded operands: split, quantize every copy, and add the copies of each channel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from harness import LearnedUniform, Quantizer, Uniform

from .options import Split
from .splitting import SplitTable, split_channels

#: What can quantize the copies: one step for the whole tensor.
OneStep = Uniform | LearnedUniform


class Expanded(Quantizer):
    """``x_hat_j = sum of Q(copy) over the copies of channel j``, with the quantizer ``inner`` as Q.

    The gradient is that of the expanded layer: straight through ``inner`` for each copy, and times its gain.
    """

    def __init__(self, inner: OneStep) -> None:
        super().__init__()
        self.inner = inner

    @abstractmethod
    def table(self, tensor: Tensor) -> SplitTable:
        """How ``tensor`` is split."""

    def expanded(self, tensor: Tensor) -> Tensor:
        """The operand of the expanded layer before it is quantized, without offsets."""
        return self.table(tensor).expand(tensor)

    def quantize(self, tensor: Tensor) -> Tensor:
        table = self.table(tensor)
        return table.merge(self.inner(table.expand(tensor, self.inner.scale.detach())))


class SplitChannels(Expanded):
    """Always the same channels are split."""

    source: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(self, inner: OneStep, table: SplitTable) -> None:
        super().__init__(inner)
        self.axis = table.axis
        for name in ("source", "gain", "offset"):
            self.register_buffer(name, getattr(table, name))

    def table(self, tensor: Tensor) -> SplitTable:
        return SplitTable(self.axis, self.source, self.gain, self.offset)

    def describe(self) -> dict[str, Any]:
        described = self.inner.describe()
        table = SplitTable(self.axis, self.source, self.gain, self.offset)
        return described | {"quantizer": f"split {described['quantizer']}", "expansion": table.expansion}


class SplitLargest(Expanded):
    """The oracle of the paper: in every batch, the channels with its largest absolute values are split.

    ``splits`` of the ``channels`` along ``axis`` (negative).
    """

    def __init__(self, inner: OneStep, channels: int, axis: int, splits: int, mode: Split) -> None:
        super().__init__(inner)
        self.channels, self.axis, self.splits, self.mode = channels, axis, splits, mode

    def table(self, tensor: Tensor) -> SplitTable:
        others = [axis for axis in range(tensor.dim()) if axis != tensor.dim() + self.axis]
        peaks = tensor.detach().abs().amax(others)
        return split_channels(self.channels, peaks.topk(self.splits).indices, self.axis, self.mode)

    def describe(self) -> dict[str, Any]:
        described = self.inner.describe()
        return described | {"quantizer": f"split largest {described['quantizer']}", "dynamic": True,
                            "expansion": (self.channels + self.splits) / self.channels}
