"""Layers as products of matrices, and bounded random samples of their inputs' rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import QuantizationError
from ..model.operations import Quantizable, QuantizableConv2d, QuantizableParametric
from ..model.partition import Partition
from ..quantizers.uniform import Uniform


def weight_rows(operation: QuantizableParametric, weight: Tensor) -> Tensor:
    """A layer's weight (or a tensor of its shape) as ``(groups, out / groups, inner)``."""
    groups = _convolution(operation).groups if isinstance(operation, QuantizableConv2d) else 1
    return weight.reshape(groups, weight.shape[0] // groups, -1)


def input_rows(operation: QuantizableParametric, tensor: Tensor) -> Tensor:
    """A layer's input as ``(groups, rows, inner)``: ``rows @ weight_rows^T`` is its output without bias.

    A row is a token of a linear layer, or what a convolution sees for one output position. Raises
    :class:`harness.QuantizationError` for a convolution with a forward of its own.
    """
    if not isinstance(operation, QuantizableConv2d):
        return tensor.reshape(1, -1, tensor.shape[-1])
    conv = _convolution(operation)
    if type(conv).forward is not nn.Conv2d.forward or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise QuantizationError(
            f"{type(conv).__name__} pads or computes in its own way and has no plain matrix form",
            "Use a range search (minmax, percentile, omse) for this model")
    patches = functional.unfold(tensor, conv.kernel_size, conv.dilation, conv.padding, conv.stride)
    grouped = patches.reshape(len(tensor), conv.groups, -1, patches.shape[-1])
    return grouped.permute(1, 0, 3, 2).flatten(1, 2)


def _convolution(operation: QuantizableConv2d) -> nn.Conv2d:
    original: nn.Conv2d = operation.__dict__["original"]
    return original


def quantize_rows(quantizer: Uniform, rows: Tensor, slots: Tensor | None, factor: float = 1.0) -> Tensor:
    """``rows`` through ``quantizer`` with its scales times ``factor``.

    ``slots`` (broadcasts to ``rows``) says which slot each element uses; ``None``: there is one slot.
    """
    low, high = quantizer.limits()
    scale = quantizer.scale.detach() * factor
    if slots is not None:
        scale, low, high = scale[slots], low[slots], high[slots]
    levels = (rows / scale).round_()
    return torch.clamp(levels, low, high, out=levels).mul_(scale)


class RowSample:
    """An observer of a layer that keeps about ``limit`` rows of its input, however long the calibration.

    ``batches`` is the number of batches to come. Two samples with the same ``seed`` keep the same rows, so
    that a full-precision and a quantized pass can be compared. With a ``partition`` of the input, the
    slot of each element is kept beside it.
    """

    def __init__(self, operation: Quantizable, limit: int, batches: int, seed: int,
                 partition: Partition | None = None) -> None:
        if not isinstance(operation, QuantizableParametric):
            raise TypeError(f"{type(operation).__name__} has no weight, hence no rows")
        self.operation, self.seed = operation, seed
        self.each = math.ceil(limit / batches)
        self.partition = partition if partition is not None and partition.slots > 1 else None
        self._rows: list[Tensor] = []
        self._slots: list[Tensor] = []

    def __call__(self, tensor: Tensor) -> None:
        """Take one batch of the layer's input."""
        rows = input_rows(self.operation, tensor.detach())
        generator = torch.Generator().manual_seed(self.seed + len(self._rows))
        chosen = torch.randperm(rows.shape[1], generator=generator)[:self.each].sort().values.to(rows.device)
        self._rows.append(rows[:, chosen])
        if self.partition is not None:
            index = torch.broadcast_to(self.partition.index.to(tensor.device), tensor.shape)
            # Padding of a convolution becomes slot 0; its zeros stay zero in any slot.
            self._slots.append(input_rows(self.operation, index.double())[:, chosen].long())

    @property
    def rows(self) -> Tensor:
        """The rows kept, ``(groups, rows, inner)``."""
        return torch.cat(self._rows, dim=1)

    @property
    def slots(self) -> Tensor | None:
        """The slot of each element of :attr:`rows`; ``None`` where there is one slot."""
        return torch.cat(self._slots, dim=1) if self._slots else None
