"""A start for DETR's backbone: which digit covers a cell of the feature map, and where its box ends.

Published DETRs start from a backbone that was trained on ImageNet; from random values its attention finds
nothing to attend to for very long. The small one starts from this simple task on the same scenes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def train_backbone(backbone: nn.Module, batches: Iterable[tuple[Tensor, list[Any]]], steps: int, classes: int,
                   learning_rate: float) -> None:
    """Train ``backbone`` in place on normalised pictures and mmdet's data samples; a line at the end."""
    pictures, _ = next(iter(batches))
    with torch.no_grad():
        channels = backbone(pictures)[-1].shape[1]
    head = nn.Conv2d(channels, classes + 1 + 4, 1)
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    backbone.train()
    right = torch.zeros(())
    for _, (pictures, samples) in zip(range(steps), batches, strict=False):
        answers = head(backbone(pictures)[-1]).permute(0, 2, 3, 1)
        labels, sides = (torch.stack(parts) for parts in zip(
            *(_cells(sample, answers.shape[1:3], classes) for sample in samples), strict=True))
        covered = labels < classes
        loss = functional.cross_entropy(answers[..., :-4].flatten(0, 2), labels.flatten())
        loss = loss + functional.l1_loss(answers[..., -4:][covered], sides[covered])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        now = (answers[..., :-4].argmax(-1)[covered] == labels[covered]).float().mean()
        right += 0.02 * (now.detach() - right)
    print(f"backbone: {100 * right.item():.1f} % of the covered cells named right after {steps:,} steps", flush=True)


def _cells(sample: Any, shape: torch.Size, classes: int) -> tuple[Tensor, Tensor]:
    """Label (height, width) of the smallest object around each cell's centre, ``classes`` where there is none, and
    the distances (height, width, 4) from there to its sides, in units of a quarter of the picture."""
    (height, width), (rows, columns) = sample.img_shape, shape
    y = (torch.arange(rows) + 0.5) * height / rows
    x = (torch.arange(columns) + 0.5) * width / columns
    labels = torch.full((rows, columns), classes)
    sides = torch.zeros(rows, columns, 4)
    truth = sample.gt_instances
    order = ((truth.bboxes[:, 2:] - truth.bboxes[:, :2]).prod(1)).argsort(descending=True)
    for index in order.tolist():
        left, top, right, bottom = truth.bboxes[index]
        inside = ((y > top) & (y < bottom))[:, None] & ((x > left) & (x < right))[None]
        labels[inside] = truth.labels[index]
        distances = torch.stack([(x - left).expand(rows, -1), (y - top)[:, None].expand(-1, columns),
                                 (right - x).expand(rows, -1), (bottom - y)[:, None].expand(-1, columns)], dim=-1)
        sides[inside] = distances[inside] / (width / 4)
    return labels, sides
