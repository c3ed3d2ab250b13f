"""Fixed regions of interest around the annotated objects, on which two models can be compared box by box.

A detector chooses its own regions, and a quantized one chooses others, so that outputs per region would not
correspond. These regions come from the annotations alone: each object's box, the box moved and scaled a
little, and a grid over the whole picture for the background.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_iou

#: Moves of an object's box (in its widths and heights) and scales, exact box first.
_VARIANTS = ((0.0, 0.0, 1.0), (0.1, 0.1, 1.0), (-0.1, 0.1, 1.0), (0.0, -0.1, 1.2), (0.0, 0.0, 0.85))
_GRID = (2, 4)  # tiles along each side, for background regions
_BACKGROUND_IOU = 0.3  # with every object, at most
OBJECTS = 50  # regions of more objects tell nothing new


class Regions(NamedTuple):
    """``boxes`` (n, 4): left, top, right, bottom in the model's picture; ``labels`` (n,): class, or -1 for none."""

    boxes: Tensor
    labels: Tensor


def regions(objects: Tensor, labels: Tensor, height: int, width: int) -> Regions:
    """The regions of one picture; ``objects`` (k, 4) and ``labels`` (k,) are its annotations, k may be 0."""
    objects, labels = objects[:OBJECTS], labels[:OBJECTS]
    centre, size = (objects[:, :2] + objects[:, 2:]) / 2, objects[:, 2:] - objects[:, :2]
    around = [torch.cat([middle - half, middle + half], dim=1)
              for right, down, scale in _VARIANTS
              for middle, half in [(centre + size * size.new_tensor([right, down]), size * scale / 2)]]
    limit = objects.new_tensor([width, height, width, height])
    foreground = torch.cat(around).clamp(min=objects.new_zeros(4), max=limit)
    tiles = torch.tensor([[x / n, y / n, (x + 1) / n, (y + 1) / n] for n in _GRID for y in range(n) for x in range(n)])
    background = tiles.to(objects) * limit
    if len(objects):
        background = background[box_iou(background, objects).amax(dim=1) <= _BACKGROUND_IOU]
    return Regions(torch.cat([foreground, background]),
                   torch.cat([labels.repeat(len(_VARIANTS)), labels.new_full((len(background),), -1)]))
