"""Sufficient statistics of the search: (max, min) of every channel and row, one pass for all images.

Memory holds at most ``N_iter`` images' points (the images that Algorithm 1 draws), whatever the size of
the calibration set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from harness import Context

from .extremes import extremes
from .quantizer import InstanceGroups


def collect(context: Context, quantizers: Mapping[str, InstanceGroups], images: Sequence[int], limit: int
            ) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Points (images, points, 2) of each site, and how many an image has before thinning.

    Runs the model as it is. Where a site has more than ``limit`` points in an image (rows, windows), a seeded
    draw keeps ``limit`` of them; where images differ in size, as many as the smallest has.
    """
    kept: dict[str, list[Tensor]] = {path: [] for path in quantizers}
    totals = dict.fromkeys(quantizers, 0.0)
    for image in images:
        seen: dict[str, list[Tensor]] = {path: [] for path in quantizers}
        observers = {path: _observer(quantizer, seen[path]) for path, quantizer in quantizers.items()}
        # One picture a forward: all points that are seen belong to it, whatever batch axes a site has.
        context.calibration.observe(context.model, sites=observers, batch_size=1, indices=[image])
        for path, parts in seen.items():
            points = torch.cat(parts) if parts else torch.zeros(0, 2)
            totals[path] += len(points) / len(images)
            kept[path].append(_thin(points, limit, context.generator))
    return {path: _stack(_filled(points), context.generator) for path, points in kept.items()}, totals


def _observer(quantizer: InstanceGroups, parts: list[Tensor]) -> Callable[[Tensor], None]:
    def see(tensor: Tensor) -> None:
        upper, lower = extremes(tensor, quantizer.axis, with_lower=not quantizer.zero_lower,
                                leading=quantizer.leading)
        flat = upper.reshape(-1)
        parts.append(torch.stack((flat, torch.zeros_like(flat) if lower is None else lower.reshape(-1)), dim=-1))
    return see


def _filled(points: list[Tensor]) -> list[Tensor]:
    """An image that does not reach a site (no region found) takes the points of the last one before that does."""
    last = next(image for image in points if len(image))
    return [last := image if len(image) else last for image in points]


def _stack(points: list[Tensor], generator: torch.Generator) -> Tensor:
    least = min(len(image) for image in points)
    return torch.stack([_thin(image, least, generator) for image in points])


def _thin(points: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    if len(points) <= limit:
        return points
    return points[torch.randperm(len(points), generator=generator)[:limit].to(points.device)]
