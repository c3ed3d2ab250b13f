"""Layers as products of matrices, and bounded random samples of their inputs' rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import QuantizationError
from ..model.operations import Quantizable, QuantizableParametric
from ..model.partition import Partition
from ..quantizers.uniform import Uniform


def weight_rows(operation: QuantizableParametric, weight: Tensor) -> Tensor:
    """A layer's weight (or a tensor of its shape) as ``(groups, out / groups, inner)``."""
    conv = _convolution(operation)
    groups = 1 if conv is None else conv.groups
    if isinstance(conv, nn.ConvTranspose2d):
        # The plain convolution that does the same to the stretched input: taps reversed, in and out swapped.
        weight = weight.unflatten(0, (groups, -1)).transpose(1, 2).flip(-2, -1).flatten(0, 1)
    return weight.reshape(groups, weight.shape[0] // groups, -1)


def input_rows(operation: QuantizableParametric, tensor: Tensor) -> Tensor:
    """A layer's input as ``(groups, rows, inner)``: ``rows @ weight_rows^T`` is its output without bias.

    A row is a token of a linear layer, or what a convolution sees for one output position (a transposed
    one: zeros between the pixels too). Raises :class:`harness.QuantizationError` for a convolution with a
    forward of its own.
    """
    conv = _convolution(operation)
    if conv is None:
        return tensor.reshape(1, -1, tensor.shape[-1])
    if not operation.is_plain or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise QuantizationError(
            f"{type(conv).__name__} pads or computes in its own way and has no plain matrix form",
            "Use a range search (minmax, percentile, omse) for this model")
    if isinstance(conv, nn.ConvTranspose2d):
        patches = functional.unfold(_stretched(conv, tensor), conv.kernel_size, conv.dilation)
    else:
        patches = functional.unfold(tensor, conv.kernel_size, conv.dilation, conv.padding, conv.stride)
    grouped = patches.reshape(len(tensor), conv.groups, -1, patches.shape[-1])
    return grouped.permute(1, 0, 3, 2).flatten(1, 2)


def _convolution(operation: QuantizableParametric) -> nn.Conv2d | nn.ConvTranspose2d | None:
    original = operation.__dict__["original"]
    return original if isinstance(original, nn.Conv2d | nn.ConvTranspose2d) else None


def _stretched(conv: nn.ConvTranspose2d, tensor: Tensor) -> Tensor:
    """What a plain convolution of stride 1 takes to give the output of ``conv``: zeros between and around."""
    batch, channels, height, width = tensor.shape
    down, right = conv.stride
    stretched = tensor.new_zeros(batch, channels, (height - 1) * down + 1, (width - 1) * right + 1)
    stretched[:, :, ::down, ::right] = tensor
    margins: list[int] = []
    for axis in (1, 0):  # functional.pad begins with the last
        margin = conv.dilation[axis] * (conv.kernel_size[axis] - 1) - int(conv.padding[axis])
        margins += margin, margin + conv.output_padding[axis]
    return functional.pad(stretched, margins)


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

    ``batches`` is the number of batches to come (an operation that is called several times for each keeps so
    many times more). Two samples with the same ``seed`` keep the same rows, so
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
        self._counts: list[int] = []
        self._rows: list[Tensor] = []
        self._slots: list[Tensor] = []

    def __call__(self, tensor: Tensor) -> None:
        """Take one batch of the layer's input."""
        rows = input_rows(self.operation, tensor.detach())
        generator = torch.Generator().manual_seed(self.seed + len(self._rows))
        chosen = torch.randperm(rows.shape[1], generator=generator)[:self.each].sort().values.to(rows.device)
        self._counts.append(rows.shape[1])
        self._rows.append(rows[:, chosen])
        if self.partition is not None:
            index = torch.broadcast_to(self.partition.index.to(tensor.device), tensor.shape)
            # Padding of a convolution becomes slot 0; its zeros stay zero in any slot.
            self._slots.append(input_rows(self.operation, index.double())[:, chosen].long())

    @property
    def rows(self) -> Tensor:
        """The rows kept, ``(groups, rows, inner)``."""
        return torch.cat(self._rows, dim=1)

    def counterparts(self, full: RowSample) -> Tensor:
        """The rows of ``full``, a sample of the same operation in full precision, that belong to :attr:`rows`.

        :attr:`rows` themselves where the two saw different numbers of rows: a quantized detector finds other
        regions, and nothing corresponds after that.
        """
        return full.rows if self._counts == full._counts else self.rows

    @property
    def slots(self) -> Tensor | None:
        """The slot of each element of :attr:`rows`; ``None`` where there is one slot."""
        return torch.cat(self._slots, dim=1) if self._slots else None
