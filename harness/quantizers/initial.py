"""Where learned scales start: from the squared error, from the mean magnitude, or from a Gaussian.

``bits`` is a number, or one of each slot; all results have shape ``(slots,)``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.partition import Partition
from .learned import SMALLEST_SCALE, LearnedScheme
from .uniform import integer_limits

#: A slot has converged when its scale changes by less than this share (Q-ViT, official code).
_TOLERANCE = 1e-5
_MOST_ROUNDS = 200


@torch.no_grad()
def mse_scale(tensor: Tensor, bits: int | Tensor, scheme: LearnedScheme, partition: Partition, offset: bool = False
              ) -> tuple[Tensor, Tensor | None]:
    """Scale, and offset if asked, at a fixed point of least squared error (Q-ViT, Li et al. 2022, official code).

    Alternates ``q = round(clip((x - o) / s))``, ``o = mean(x - s q)`` and ``s = <x - o, q> / <q, q>``, each slot until
    s settles. Starts from ``max|x| / high`` without an offset, and with one from the step and the offset that
    map low and high to the slot's minimum and maximum.
    """
    low, high = _limits(bits, scheme, partition, tensor)
    spread, reduce = partition.spread, partition.reduce
    shift: Tensor | None = None
    if offset:
        lower = reduce(tensor, "amin")
        scale = (reduce(tensor, "amax") - lower) / (high - low)
        shift = lower - low * scale
    else:
        scale = reduce(tensor.abs(), "amax") / high
    scale = scale.clamp(min=SMALLEST_SCALE)
    moving = torch.ones_like(scale, dtype=torch.bool)
    for _ in range(_MOST_ROUNDS):
        centred = tensor if shift is None else tensor - spread(shift)
        codes = (centred / spread(scale)).clamp_(spread(low), spread(high)).round_()
        if shift is not None:
            shift = torch.where(moving, reduce(tensor - codes * spread(scale), "mean"), shift)
            centred = tensor - spread(shift)
        squares = reduce(codes.square(), "sum")
        found = (reduce(centred * codes, "sum") / squares).clamp(min=SMALLEST_SCALE)
        found = torch.where(moving & (squares > 0), found, scale)
        moving = (found - scale).abs() >= _TOLERANCE * scale
        scale = found
        if not moving.any():
            break
    return scale, shift


@torch.no_grad()
def lsq_scale(tensor: Tensor, bits: int | Tensor, scheme: LearnedScheme, partition: Partition) -> Tensor:
    """``2 mean|x| / sqrt(high)`` of each slot (LSQ, Esser et al. 2020, sec. 2.1)."""
    _, high = _limits(bits, scheme, partition, tensor)
    return (2 * partition.reduce(tensor.abs(), "mean") / high.sqrt()).clamp(min=SMALLEST_SCALE)


@torch.no_grad()
def gaussian_scale(tensor: Tensor, bits: int | Tensor, partition: Partition) -> Tensor:
    """``max(|mu - 3 sigma|, |mu + 3 sigma|) / 2^(b-1)`` of each slot (LSQ+, Bhalgat et al. 2020, sec. 3.2)."""
    mean = partition.reduce(tensor, "mean")
    deviation = partition.reduce((tensor - partition.spread(mean)).square(), "mean").sqrt()
    levels = 2.0 ** (torch.as_tensor(bits, dtype=mean.dtype, device=mean.device) - 1)
    return (torch.maximum((mean - 3 * deviation).abs(), (mean + 3 * deviation).abs()) / levels).clamp(
        min=SMALLEST_SCALE)


def _limits(bits: int | Tensor, scheme: LearnedScheme, partition: Partition, tensor: Tensor) -> tuple[Tensor, Tensor]:
    each = torch.as_tensor(bits, dtype=tensor.dtype, device=tensor.device).expand(partition.slots)
    return integer_limits(each, scheme)
