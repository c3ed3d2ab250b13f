"""The metric: intersection over union."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Batch, Scores

from .drawing import CLASSES


def intersection_over_union(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Of each picture, 0 to 1: the mean over the shapes that are in it or were seen in it, the ground left out."""
    values, present = [], []
    for shape in range(1, len(CLASSES)):
        ours, theirs = predicted == shape, wanted == shape
        union = (ours | theirs).sum((1, 2))
        values.append((ours & theirs).sum((1, 2)) / union.clamp(min=1))
        present.append(union > 0)
    there = torch.stack(present).double()
    return (torch.stack(values).double() * there).sum(0) / there.sum(0).clamp(min=1)


class IouScorer:
    """Intersection over union, mean over pictures, and the share of right pixels; both in percent."""

    def __init__(self) -> None:
        self._each: list[float] = []
        self._right = self._pixels = 0

    def update(self, outputs: Tensor, batch: Batch) -> None:
        predicted = outputs.argmax(1).cpu()
        self._each += intersection_over_union(predicted, batch.targets).tolist()
        self._right += int((predicted == batch.targets).sum())
        self._pixels += batch.targets.numel()

    def result(self) -> Scores:
        iou = 100 * sum(self._each) / len(self._each)
        return Scores({"iou": iou, "pixels": 100 * self._right / self._pixels}, tuple(self._each), beside=("pixels",))
