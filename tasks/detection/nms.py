"""Greedy non-maximum suppression in plain torch, under the signature of mmcv's compiled operator."""

from __future__ import annotations

import torch
from torch import Tensor

#: Boxes that are compared with each other before the survivors are compared with all that follow.
BLOCK = 256


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices (M,) of the boxes that no better box overlaps by more than ``iou_threshold``, best first.

    ``boxes`` (N, 4) are x1, y1, x2, y2, with a side of ``x2 - x1 + offset``; ``scores`` (N,). Among equal
    scores the earlier box counts as better (the compiled kernel's sort is not stable: there it depends on the
    machine). The overlap is computed in the compiled kernel's order of operations, so that a pair at the very
    threshold is decided alike. Runs on the CPU, wherever the boxes are.
    """
    order = scores.detach().cpu().sort(descending=True, stable=True).indices
    corners = boxes.detach().cpu()[order]
    rest = torch.arange(len(order))
    kept = [rest[:0]]
    while len(rest):
        block, rest = rest[:BLOCK], rest[BLOCK:]
        block = block[_greedy(_overlap(corners[block], corners[block], offset) > iou_threshold)]
        suppressed = (_overlap(corners[block], corners[rest], offset) > iou_threshold).any(0)
        rest = rest[~suppressed]
        kept.append(block)
    return order[torch.cat(kept)].to(boxes.device)


def _overlap(a: Tensor, b: Tensor, offset: int) -> Tensor:
    """Intersection over union of every pair, (len(a), len(b)); not a number for two empty boxes."""
    a_area, b_area = ((box[:, 2] - box[:, 0] + offset) * (box[:, 3] - box[:, 1] + offset) for box in (a, b))
    a = a[:, None]
    width = (torch.minimum(a[..., 2], b[:, 2]) - torch.maximum(a[..., 0], b[:, 0]) + offset).clamp_(min=0)
    height = (torch.minimum(a[..., 3], b[:, 3]) - torch.maximum(a[..., 1], b[:, 1]) + offset).clamp_(min=0)
    shared = width.mul_(height)
    return shared / (a_area[:, None] + b_area - shared)


def _greedy(overlaps: Tensor) -> Tensor:
    """Which boxes remain, (B,), when each remaining one removes all later ones that it overlaps, (B, B)."""
    suppress = overlaps.triu(1).numpy()
    keep = torch.ones(len(suppress), dtype=torch.bool).numpy()
    for index, row in enumerate(suppress):
        if keep[index]:
            keep &= ~row
    return torch.from_numpy(keep)
