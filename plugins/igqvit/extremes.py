"""Maximum and minimum of every channel or row of every instance."""

from __future__ import annotations

from torch import Tensor

from .options import Axis


def extremes(tensor: Tensor, axis: Axis, with_lower: bool = True, leading: int = 1) -> tuple[Tensor, Tensor | None]:
    """``(max, min)`` over the positions of each slot, reduced axes kept as 1.

    channels: (B, ..., C) -> (B, 1, ..., C), over all axes between the ``leading`` ones, which number the
    instances, and the last. rows: (..., N) -> (..., 1).
    """
    axes = [-1] if axis == "rows" else list(range(leading, tensor.dim() - 1))
    if not axes:  # (B, C): each channel of an instance is one value
        return tensor, tensor if with_lower else None
    # Not torch.aminmax: over one axis it is tens of times slower than the two reductions on a CPU.
    return tensor.amax(axes, keepdim=True), tensor.amin(axes, keepdim=True) if with_lower else None
