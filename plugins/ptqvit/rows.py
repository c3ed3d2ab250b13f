"""The rows of an operation's inputs: how many there are, and some of them.

A row is what one output position depends on. Of a linear layer it is a token ``(in,)``; of a convolution, plain
or transposed, the patch ``(in, height, width)`` under the kernel of the plain convolution that
:func:`harness.weight_rows` describes. Only the rows asked for are ever made: the patches of one level of a
detector's pyramid would fill 600 MB.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import QuantizationError


def row_count(operation: Any, tensor: Tensor) -> int:
    """How many rows a layer's input has.

    Raises :class:`harness.QuantizationError` for a convolution with a forward of its own.
    """
    conv = _convolution(operation)
    if conv is None:
        return tensor.numel() // tensor.shape[-1]
    height, width = _output_size(conv, tensor)
    return len(tensor) * height * width


def row_width(operation: Any) -> int:
    """Elements of a row of a layer."""
    conv = _convolution(operation)
    if conv is None:
        return int(operation.weight[0].numel())
    height, width = conv.kernel_size
    return conv.in_channels * height * width


def rows_at(operation: Any, tensor: Tensor, chosen: Tensor) -> Tensor:
    """The rows at the positions ``chosen`` (n,), each once: ``(n, in)`` or ``(n, in, height, width)``."""
    conv = _convolution(operation)
    if conv is None:
        return tensor.reshape(-1, tensor.shape[-1])[chosen]
    _, width = size = _output_size(conv, tensor)
    picture, place = chosen // size.numel(), chosen % size.numel()
    down, in_height = _sources(conv, 0, place // width, tensor.shape[-2])
    right, in_width = _sources(conv, 1, place % width, tensor.shape[-1])
    patches = tensor[picture[:, None, None], :, down[:, :, None], right[:, None, :]]
    patches *= (in_height[:, :, None] & in_width[:, None, :]).unsqueeze(-1)
    return patches.permute(0, 3, 1, 2).contiguous()


def as_matrix(operation: Any, rows: Tensor) -> Tensor:
    """Rows as ``(groups, n, inner)``, to be multiplied with :func:`harness.weight_rows`."""
    conv = _convolution(operation)
    groups = 1 if conv is None else conv.groups
    return rows.reshape(len(rows), groups, -1).transpose(0, 1).contiguous()


def _convolution(operation: Any) -> nn.Conv2d | nn.ConvTranspose2d | None:
    conv = operation.__dict__["original"]
    if not isinstance(conv, nn.Conv2d | nn.ConvTranspose2d):
        return None
    if not operation.is_plain or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise QuantizationError(
            f"{type(conv).__name__} pads or computes in its own way and has no plain matrix form",
            "Use a range search (minmax, percentile, omse) for this model")
    return conv


def _output_size(conv: nn.Conv2d | nn.ConvTranspose2d, tensor: Tensor) -> torch.Size:
    sizes = []
    for axis, size in enumerate(tensor.shape[-2:]):
        reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1)
        padding, stride = int(conv.padding[axis]), conv.stride[axis]
        sizes.append((size - 1) * stride - 2 * padding + reach + conv.output_padding[axis] + 1
                     if isinstance(conv, nn.ConvTranspose2d) else (size + 2 * padding - reach - 1) // stride + 1)
    return torch.Size(sizes)


def _sources(conv: nn.Conv2d | nn.ConvTranspose2d, axis: int, outputs: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Which input each tap sees along an axis, for the output positions (n,), and whether there is one: (n, taps)."""
    dilation, padding, stride = conv.dilation[axis], int(conv.padding[axis]), conv.stride[axis]
    taps = dilation * torch.arange(conv.kernel_size[axis], device=outputs.device)
    if isinstance(conv, nn.ConvTranspose2d):
        stretched = outputs[:, None] + taps + padding - taps[-1]  # as if zeros stood between the inputs
        index, there = stretched // stride, stretched % stride == 0
    else:
        index = outputs[:, None] * stride + taps - padding
        there = torch.ones_like(index, dtype=torch.bool)
    return index.clamp(0, size - 1), there & (index >= 0) & (index < size)
