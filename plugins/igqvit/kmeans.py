"""Groups of (max, min) points: k-means++ to begin with (Eq. 6), running means after (Algorithm 1).

Everything works on a batch of sites at once: points (sites, points, 2), centres (sites, g, 2), where
the last axis is ``(max, min)`` and a centre is a group's ``(u, l)``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .assignment import distances, nearest
from .options import Distance

LLOYD_ITERATIONS = 25


def kmeans(points: Tensor, groups: int, kind: Distance, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (sites, groups, 2) and how many points each holds (sites, groups).

    k-means++ seeds (Arthur & Vassilvitskii 2007), then Lloyd's iterations. A group that loses all its points
    keeps its centre.
    """
    centres = _seed(points, groups, kind, generator)
    sums, counts = group_sums(points, centres, kind)
    for _ in range(LLOYD_ITERATIONS):
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
        sums, counts = group_sums(points, centres, kind)
    return centres, counts.squeeze(-1)


def group_sums(points: Tensor, centres: Tensor, kind: Distance) -> tuple[Tensor, Tensor]:
    """Sum of the points nearest to each centre (sites, g, 2), and their number (sites, g, 1)."""
    index = nearest(points[..., 0], points[..., 1], (centres[..., 0], centres[..., 1]), kind).unsqueeze(-1)
    sums = torch.zeros_like(centres).scatter_add_(1, index.expand_as(points), points)
    ones = torch.ones_like(points[..., :1])
    return sums, torch.zeros_like(centres[..., :1]).scatter_add_(1, index, ones)


def running_mean(points: Tensor, centres: Tensor, counts: Tensor, kind: Distance) -> tuple[Tensor, Tensor]:
    """One iteration of Algorithm 1: move every centre towards the mean of its members.

    The step is members / members seen so far (``counts``, (sites, g)), so that a centre stays the mean of
    all points ever assigned to it. Returns the new centres and counts.
    """
    sums, members = group_sums(points, centres, kind)
    counts = counts.unsqueeze(-1) + members
    return centres + (sums - members * centres) / counts.clamp(min=1), counts.squeeze(-1)


def reach(points: Tensor, bounds: tuple[Tensor, Tensor], kind: Distance) -> tuple[Tensor, Tensor]:
    """The ends (u, l), (g,) each, that hold every point (n, 2) of a group, and its centre ``bounds``."""
    index = nearest(points[:, 0].contiguous(), points[:, 1].contiguous(), bounds, kind)
    return (bounds[0].scatter_reduce(0, index, points[:, 0], "amax"),
            bounds[1].scatter_reduce(0, index, points[:, 1], "amin"))


def _seed(points: Tensor, groups: int, kind: Distance, generator: torch.Generator) -> Tensor:
    sites, number, _ = points.shape
    weights = torch.ones(sites, number, dtype=points.dtype, device=points.device)
    chosen: list[Tensor] = []
    for _ in range(groups):
        index = torch.multinomial(weights.cpu(), 1, generator=generator).to(points.device)
        chosen.append(points.gather(1, index.unsqueeze(-1).expand(-1, -1, 2)))
        centre = chosen[-1]
        away = distances(points[..., 0], points[..., 1], (centre[..., 0], centre[..., 1]), kind).squeeze(1)
        away = away if kind == "l2_minmax" else away.square_()
        weights = away if len(chosen) == 1 else torch.minimum(weights, away)
        # Fewer distinct points than groups: the rest of the centres are duplicates.
        weights = weights + (weights.sum(-1, keepdim=True) == 0)
    return torch.cat(chosen, dim=1)
