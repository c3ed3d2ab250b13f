"""Which group a channel or a row belongs to: Eqs. (4) and (5)."""

from __future__ import annotations

from torch import Tensor

from .options import Distance


def distances(upper: Tensor, lower: Tensor | None, bounds: tuple[Tensor, Tensor], kind: Distance) -> Tensor:
    """Distance of every slot's (max, min) to the bounds of every group, shape (..., g, slots).

    ``upper`` and ``lower``: (..., slots); ``bounds``: two tensors (..., g), ``(u, l)``. ``l2_minmax`` is Eq. (4),
    ``(M - u)^2 + (m - l)^2``; ``l1_minmax`` takes absolute values; ``range_only`` compares ``M - m`` with
    ``u - l``. Without ``lower`` every minimum counts as equally far from every ``l``, so that only the maximum
    decides (all ``l`` are 0).
    """
    u, l = (bound.unsqueeze(-1) for bound in bounds)  # noqa: E741 - the paper's names
    if kind == "range_only":
        spread = upper if lower is None else upper - lower
        return (spread.unsqueeze(-2) - (u - l)).abs_()
    off = upper.unsqueeze(-2) - u
    off = off.square_() if kind == "l2_minmax" else off.abs_()
    if lower is None:
        return off
    off_lower = lower.unsqueeze(-2) - l
    return off.add_(off_lower.square_() if kind == "l2_minmax" else off_lower.abs_())


def nearest(upper: Tensor, lower: Tensor | None, bounds: tuple[Tensor, Tensor], kind: Distance) -> Tensor:
    """Group of every slot, Eq. (5): int64 (..., slots)."""
    # min() over the group axis, which is not the contiguous one, is several times faster than argmin().
    return distances(upper, lower, bounds, kind).min(dim=-2).indices
