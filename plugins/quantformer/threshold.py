"""The clipping threshold of least divergence between the distributions of a weight before and after."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy_threshold(weight: Tensor, bits: int) -> Tensor:
    """T that minimises ``sum_j (F_j - Q_j) log2(F_j / Q_j)``, a scalar >= 0 (Quantformer, official code).

    F is the cumulative histogram of ``|w|`` in ``sqrt(numel)`` bins. For a candidate of i bins, Q is F with all mass
    beyond them moved into the last, and its first i values replaced by the line through ``2^(b-1)`` of their
    points (linear interpolation there and back). The candidate means ``T = (i + 1/2) width``. A weight
    with too few bins for any candidate is clipped at its largest magnitude.
    """
    magnitudes = weight.detach().abs().flatten().double()
    bins, largest, points = math.ceil(math.sqrt(weight.numel())), magnitudes.max(), 2 ** (bits - 1)
    if points + 1 > bins or largest == 0:
        return largest.to(weight.dtype)
    width = largest / bins
    counts = (magnitudes / width).long().clamp(max=bins - 1).bincount(minlength=bins)
    cumulative = counts.cumsum(0).double() / weight.numel()
    candidates = torch.arange(points + 1, bins + 1, device=weight.device)
    divergence = torch.cat([_divergences(cumulative, some, points) for some in candidates.split(_AT_ONCE)])
    return ((candidates[divergence.argmin()] + 0.5) * width).to(weight.dtype)


#: Candidates of one temporary, which has a row of bins for each.
_AT_ONCE = 256


def _divergences(cumulative: Tensor, candidates: Tensor, points: int) -> Tensor:
    """The divergence of each candidate number of bins, shape ``(candidates,)``."""
    bins = len(cumulative)
    last = (candidates - 1)[:, None]
    place = torch.arange(bins, device=cumulative.device)
    clipped = torch.where(place >= last, 1.0, cumulative)
    nodes = torch.linspace(0, 1, points, dtype=cumulative.dtype, device=cumulative.device) * last
    coarse = _interpolate(clipped, nodes)
    # Where each bin lies between the nodes; beyond the last bin of the candidate nothing is interpolated.
    inside = torch.minimum(place, last).double() / last * (points - 1)
    quantized = torch.where(place <= last, _interpolate(coarse, inside), clipped)
    smallest = torch.finfo(cumulative.dtype).tiny
    ratio = (cumulative.clamp(min=smallest) / quantized.clamp(min=smallest)).log2()
    return ((cumulative - quantized) * ratio).sum(1)


def _interpolate(rows: Tensor, place: Tensor) -> Tensor:
    """Each row at real-valued indices, linearly between neighbours; (k, n), (k, m) -> (k, m)."""
    before = place.floor().long().clamp(max=rows.shape[1] - 1)
    after = (before + 1).clamp(max=rows.shape[1] - 1)
    low, high = rows.gather(1, before), rows.gather(1, after)
    return low + (place - before) * (high - low)
