"""RoIAlign as its definition reads: a loop over boxes, bins and samples, each a bilinear interpolation.

Differentiable with respect to the feature map through autograd, so that it is the reference of both
directions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def bilinear(feature: Tensor, y: float, x: float) -> Tensor:
    """The feature map (C, H, W) at a position: (C,)."""
    height, width = feature.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return feature.new_zeros(feature.shape[0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = feature[:, top, left] * (1 - (x - left)) + feature[:, top, right] * (x - left)
    lower = feature[:, bottom, left] * (1 - (x - left)) + feature[:, bottom, right] * (x - left)
    return upper * (1 - (y - top)) + lower * (y - top)


def slow_roi_align(features: Tensor, rois: Tensor, size: tuple[int, int], scale: float = 1.0, sampling_ratio: int = 0,
                   pool_mode: str = "avg", aligned: bool = True) -> Tensor:
    """``features`` (N, C, H, W) in ``rois`` (K, 5) -> (K, C, *size), under the arguments of ``mmcv.ops.roi_align``."""
    pooled = []
    for picture, *corners in rois.tolist():
        x1, y1, x2, y2 = (corner * scale - 0.5 * aligned for corner in corners)
        height, width = (y2 - y1, x2 - x1) if aligned else (max(y2 - y1, 1), max(x2 - x1, 1))
        bin_height, bin_width = height / size[0], width / size[1]
        rows, columns = (sampling_ratio or math.ceil(length) for length in (bin_height, bin_width))
        for row in range(size[0]):
            for column in range(size[1]):
                samples = [bilinear(features[int(picture)], y1 + (row + (i + 0.5) / rows) * bin_height,
                                    x1 + (column + (j + 0.5) / columns) * bin_width)
                           for i in range(rows) for j in range(columns)]
                if not samples:
                    pooled.append(features.new_zeros(features.shape[1]))
                elif pool_mode == "avg":
                    pooled.append(torch.stack(samples).mean(0))
                else:
                    pooled.append(torch.stack(samples).amax(0))
    if not pooled:
        return features.new_zeros(0, features.shape[1], *size)
    return torch.stack(pooled).view(len(rois), *size, -1).permute(0, 3, 1, 2)
