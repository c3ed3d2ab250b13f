"""Signed integers as ternary bit planes, and the planes of least weight error.

A row of b-bit signed integers ``q`` is ``2^(b-2) * sum_m 2^(-m) B_m`` with planes ``B_m`` in {-1, 0, 1},
``m = 0 .. b-2``: each plane carries its own sign, so planes of opposite signs are allowed too.
Rows are ``(rows, inner)``, planes ``(planes, rows, inner)``, and ``alpha`` scales the sum of the planes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .slots import Rows


def fwa(weight: Tensor, rows: Rows, tolerance: float = 1e-9, limit: int = 1000) -> tuple[Tensor, Tensor]:
    """Integers and step of each slot by alternating rounding and least squares (fixed-point approximation).

    Starts at ``max|w| / (2^(b-1) - 1)`` and ends when the steps stand still. Returns the integers, like
    ``weight``, and the steps ``(slots,)``; 1 for a slot of zeros.
    """
    largest = (2 ** (rows.bits - 1) - 1)[:, None]
    step = rows.largest(weight) / (2 ** (rows.slot_bits - 1) - 1)
    step = step.where(step > 0, torch.ones_like(step))
    integers = torch.zeros_like(weight)
    for _ in range(limit):
        integers = (weight / rows.spread(step)).round().clamp(-largest, largest)
        before, step = step, rows.least_squares(weight * integers, integers.square(), step)
        if float((step - before).norm()) <= tolerance:
            break
    return integers, step


def split(integers: Tensor, rows: Rows) -> Tensor:
    """The bit planes of ``integers``, most significant first; planes that a row's bits lack are 0."""
    planes = torch.arange(rows.planes, device=integers.device)
    power = 2.0 ** (rows.bits - 2 - planes[:, None])[..., None]  # of plane m in each row
    digit = (integers.abs() / power).floor() % 2
    return digit.where(power >= 1, torch.zeros_like(digit)) * integers.sign()


def stitch(planes: Tensor) -> Tensor:
    """``sum_m 2^(-m) B_m``."""
    return torch.tensordot(plane_weights(planes), planes, dims=1)


def plane_weights(planes: Tensor) -> Tensor:
    """``2^(-m)`` for each plane."""
    return 0.5 ** torch.arange(len(planes), device=planes.device, dtype=planes.dtype)


def ofwa(weight: Tensor, planes: Tensor, alpha: Tensor, rows: Rows, epochs: int = 50,
         tolerance: float = 1e-9) -> tuple[Tensor, Tensor]:
    """Planes and alpha of least ``|w - alpha * sum_m 2^(-m) B_m|^2``; never worse than the start.

    Alternates the closed form of alpha with each plane given the others: with the residual
    ``r = 2^m (w - alpha * others)``, ``B_m = sign(r)`` where ``|2 r| >= alpha``, else 0.
    """
    planes, stitched = planes.clone(), stitch(planes)
    for _ in range(epochs):
        before = alpha
        alpha = rows.least_squares(weight * stitched, stitched.square(), alpha)
        if float((alpha - before).norm()) <= tolerance:
            break
        spread = rows.spread(alpha)
        for m, size in enumerate(plane_weights(planes).tolist()):
            others = stitched - size * planes[m]
            residual = (weight - spread * others) / size
            plane = residual.sign() * (2 * residual.abs() >= spread) * rows.has_plane(m)
            planes[m], stitched = plane, others + size * plane
    return planes, alpha
