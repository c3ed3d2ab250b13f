"""The maximum instead of the average of a bin's samples, for :mod:`.roi_align`.

No detector of this task pools so; it is here because the compiled operator has both modes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from .roi_sampling import Axis, alike, interpolation, outer


def max_forward(cells: Tensor, picture: Tensor, y: Axis, x: Axis, output: Tensor, argmax_y: Tensor,
                argmax_x: Tensor) -> None:
    """Fills ``output`` and the positions of the maxima, (K, C, height, width) each.

    ``cells`` (N * H * W, C) is the feature map and ``picture`` (K,) each box's index into N. Among equal
    samples the first counts. A box without samples is left as it is, with -1 as the position.
    """
    channels = cells.shape[1]
    argmax_y.fill_(-1)
    argmax_x.fill_(-1)
    for group in alike(y, x):
        down, across = group.samples
        for part in group.chunks(y.bins * x.bins * down * across * channels):
            rows, columns = y.positions(part.boxes, down), x.positions(part.boxes, across)
            row, row_weight = interpolation(rows.flatten(1)[..., None], min(2, y.cells), y.cells)
            row += picture[part.boxes, None, None] * y.cells
            column = interpolation(columns.flatten(1)[..., None], min(2, x.cells), x.cells)
            cell, weight = outer((row, row_weight), column, x.cells)
            values = embedding_bag(cell, cells, mode="sum", per_sample_weights=weight.to(cells.dtype))
            values = values.view(-1, y.bins, down, x.bins, across, channels).permute(0, 5, 1, 3, 2, 4).flatten(4)
            output[part.boxes], place = values.max(-1)
            grid = (len(part.boxes), 1, y.bins, x.bins, down, across)
            for argmax, positions in ((argmax_y, rows[:, None, :, None, :, None]),
                                      (argmax_x, columns[:, None, None, :, None, :])):
                every = positions.expand(grid).flatten(4).expand(values.shape)
                argmax[part.boxes] = every.gather(-1, place[..., None])[..., 0].to(argmax.dtype)


def max_backward(grad_output: Tensor, picture: Tensor, y: Axis, x: Axis, argmax_y: Tensor, argmax_x: Tensor,
                 grad_input: Tensor) -> None:
    """Adds to ``grad_input`` (N, C, H, W) the gradient at the positions that the forward found."""
    channels = grad_input.shape[1]
    for group in alike(y, x):
        for part in group.chunks(4 * grad_output[0].numel()):
            row, row_weight = interpolation(argmax_y[part.boxes][..., None], min(2, y.cells), y.cells)
            column, column_weight = interpolation(argmax_x[part.boxes][..., None], min(2, x.cells), x.cells)
            plane = picture[part.boxes, None] * channels + torch.arange(channels, device=picture.device)
            cell = (plane[:, :, None, None, None] * y.cells + row)[..., :, None] * x.cells + column[..., None, :]
            weight = row_weight[..., :, None] * column_weight[..., None, :]
            share = grad_output[part.boxes][..., None, None] * weight.to(grad_output.dtype)
            grad_input.view(-1).index_add_(0, cell.flatten(), share.flatten())
