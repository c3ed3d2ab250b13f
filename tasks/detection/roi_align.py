"""RoIAlign, forward and backward, in plain torch, under the signatures of mmcv's compiled operator.

Each output bin is a weighted sum of feature-map cells, which is what an embedding bag is: the cells of
the map, channels last, are the embeddings. That reads whole vectors of channels and needs each cell
of a bin once however many samples fall on it; the backward is an embedding bag as well, with the
roles of bins and cells exchanged. Boxes with equally many samples go together, in chunks that bound
the memory. N pictures, C channels, K boxes, (height, width) bins in a box.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from .roi_max_pool import max_backward, max_forward
from .roi_sampling import Axis, alike, box_axis, interpolation, outer

#: mmcv's code for the pooling mode.
MAX, AVERAGE = 0, 1


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor,
                      aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                      pool_mode: int, aligned: bool) -> None:
    """Pools ``input`` (N, C, H, W) in the boxes ``rois`` (K, 5) into ``output`` (K, C, height, width).

    A box is the index of its picture, x1, y1, x2, y2 in pixels; times ``spatial_scale`` they are cells.
    In max mode ``argmax_y`` and ``argmax_x``, shaped as ``output``, get the position of the largest sample.
    A box without extent under the adaptive grid (``sampling_ratio`` 0) has no samples and gives zeros (in
    max mode the compiled kernel gives its lower limit, -10000). Any memory format of ``input`` will do.

    Raises:
        HarnessError: a box is reversed or not finite.
    """
    y, x = _axes(rois, input.shape, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    output.zero_()
    if not rois.shape[0]:
        return
    cells = input.permute(0, 2, 3, 1).contiguous().flatten(0, 2)
    if pool_mode == MAX:
        max_forward(cells, rois[:, 0].int(), y, x, output, argmax_y, argmax_x)
        return
    for boxes, cell, weight in _bags(rois, y, x, cells.shape[1]):
        pooled = embedding_bag(cell, cells, mode="sum", per_sample_weights=weight.to(cells.dtype))
        output[boxes] = pooled.view(-1, y.bins, x.bins, cells.shape[1]).permute(0, 3, 1, 2)


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                       pool_mode: int, aligned: bool) -> None:
    """Adds the gradient of :func:`roi_align_forward` to ``grad_input`` (N, C, H, W); boxes get none."""
    y, x = _axes(rois, grad_input.shape, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    if not rois.shape[0]:
        return
    if pool_mode == MAX:
        max_backward(grad_output, rois[:, 0].long(), y, x, argmax_y, argmax_x, grad_input)
        return
    pictures, channels, height, width = grad_input.shape
    gradient = grad_input.new_zeros(pictures * height * width, channels)
    for boxes, cell, weight in _bags(rois, y, x, channels):
        order = cell.flatten().argsort(stable=True)
        touched, counts = cell.flatten()[order].unique_consecutive(return_counts=True)
        bins = grad_output[boxes].permute(0, 2, 3, 1).reshape(-1, channels)
        gradient.index_add_(0, touched, embedding_bag(
            order // cell.shape[1], bins, counts.cumsum(0) - counts, mode="sum",
            per_sample_weights=weight.flatten()[order].to(bins.dtype)))
    grad_input += gradient.view(pictures, height, width, channels).permute(0, 3, 1, 2)


def _axes(rois: Tensor, shape: torch.Size, bins: tuple[int, int], scale: float, sampling_ratio: int,
          aligned: bool) -> tuple[Axis, Axis]:
    y = box_axis(rois[:, 2], rois[:, 4], bins[0], shape[2], scale, sampling_ratio, aligned)
    x = box_axis(rois[:, 1], rois[:, 3], bins[1], shape[3], scale, sampling_ratio, aligned)
    return y, x


def _bags(rois: Tensor, y: Axis, x: Axis, channels: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Boxes (k,), and for each of their bins the cells it sums and their weights, (k * height * width, taps)."""
    picture = rois[:, 0].int()
    for group in alike(y, x):
        taps = group.taps[0] * group.taps[1]
        for part in group.chunks(y.bins * x.bins * max(taps, channels)):
            row, row_weight = interpolation(y.positions(part.boxes, part.samples[0]), part.taps[0], y.cells)
            row += picture[part.boxes, None, None] * y.cells
            columns = interpolation(x.positions(part.boxes, part.samples[1]), part.taps[1], x.cells)
            yield part.boxes, *outer((row, row_weight), columns, x.cells)
