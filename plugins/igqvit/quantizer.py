"""Instance-aware group quantization: the quantizer of Eqs. (1) to (5) and (8)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import QuantizationError, Quantizer, Site, affine_parameters, round_ste

from .assignment import nearest
from .extremes import extremes
from .options import InstanceGroupsOptions


class InstanceGroups(Quantizer):
    """Channels (or attention rows) of every instance share ``g`` uniform quantizers by their ranges.

    For each instance, each channel c goes to the group whose bounds ``(u_i, l_i)`` are nearest to its
    maximum and minimum, Eq. (5), and is quantized with that group's scale and zero point. An instance is
    an entry of the first ``leading`` axes (see :mod:`.instances`): a picture, or a window where attention works on
    windows.

    ``upper`` and ``lower`` (g,) are the bounds as learned; assignments use them unchanged. Scales cover
    ``[min(l, 0), max(u, 0)]`` (or ``ends``, where those are given), so that 0 is exact. A constant channel takes
    the nearest value of its group's grid, and its own value exactly where the group holds nothing else.

    Quantizing moves a channel's maximum and minimum, so a second pass may assign it to another group:
    idempotent *for a given assignment* (:meth:`quantize_in`), which is what holds of Eq. (5).
    """

    def __init__(self, options: InstanceGroupsOptions, bits: int) -> None:
        super().__init__()
        self.axis, self.distance, self.bits = options.axis, options.distance, bits
        self.zero_lower = options.lower == "zero"
        self.leading = 1
        self.ends: tuple[Tensor, Tensor] | None = None
        self.upper: Tensor
        self.lower: Tensor
        for name in ("upper", "lower", "scale", "low", "high"):
            self.register_buffer(name, torch.zeros(0))
        self._limits: tuple[float, float] | None = None
        self.set_bounds(torch.zeros(options.g), torch.zeros(options.g))

    @property
    def groups(self) -> int:
        """Number of groups g."""
        return self.upper.numel()

    @property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """``(u, l)`` of the groups, each (g,)."""
        return self.upper, self.lower

    @torch.no_grad()
    def set_bounds(self, upper: Tensor, lower: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> None:
        """Take new bounds, shape (g,) each; their length becomes the number of groups.

        ``ends``: (u, l) that the scales cover, where they are not the bounds themselves. Raises
        :class:`harness.QuantizationError` on NaN or infinity.
        """
        if not bool(torch.isfinite(upper).all() and torch.isfinite(lower).all()):
            raise QuantizationError("NaN or infinity in the bounds of instance-aware groups",
                                    "Check the inputs, the weights and the preprocessing")
        self.upper = upper.to(self.upper)
        self.lower = torch.zeros_like(self.upper) if self.zero_lower else lower.to(self.upper)
        self.ends = ends
        high, low = (self.upper, self.lower) if ends is None else (end.to(self.upper) for end in ends)
        bits = torch.full_like(self.upper, self.bits)
        low = torch.zeros_like(low) if self.zero_lower else low
        self.scale, zero = affine_parameters(low, high, bits, "asymmetric")
        self.low, self.high = -zero, 2.0 ** bits - 1 - zero
        # Attention rows: every zero point is 0 and all groups clip alike, which a scalar does much faster.
        same = bool((zero == zero[0]).all())
        self._limits = (float(self.low[0]), float(self.high[0])) if same else None

    def assign(self, tensor: Tensor) -> Tensor:
        """Group of every channel or row of every instance, Eq. (5).

        int64; the shape of ``tensor`` with every reduced axis kept as 1: (B, 1, C) or (B, H, N, 1).
        """
        upper, lower = extremes(tensor, self.axis, with_lower=not self.zero_lower, leading=self.leading)
        flat = None if lower is None else lower.reshape(-1)
        return nearest(upper.reshape(-1), flat, self.bounds, self.distance).view(upper.shape)

    def quantize(self, tensor: Tensor) -> Tensor:
        return self.quantize_in(self.assign(tensor.detach()), tensor)

    def quantize_in(self, groups: Tensor, tensor: Tensor) -> Tensor:
        """``tensor`` quantized with given groups (as :meth:`assign` gives them)."""
        scale = _spread(self.scale, groups)
        if torch.is_grad_enabled() and tensor.requires_grad:
            low, high = _spread(self.low, groups), _spread(self.high, groups)
            return round_ste(torch.minimum(torch.maximum(tensor / scale, low), high)) * scale
        # One out-of-place operation, then in-place ones: allocation costs as much as arithmetic.
        levels = (tensor / scale).round_()
        if self._limits is not None:
            return levels.clamp_(*self._limits).mul_(scale)
        low, high = _spread(self.low, groups), _spread(self.high, groups)
        if self.axis == "channels":
            levels.clamp_(low, high)
        else:  # clamp_ has no fast path for limits that are constant along the contiguous axis
            torch.minimum(torch.maximum(levels, low, out=levels), high, out=levels)
        return levels.mul_(scale)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "uniform asymmetric", "bits": self.bits,
                "granularity": f"instance groups ({self.axis})", "groups": self.groups, "dynamic": True}


def _spread(values: Tensor, groups: Tensor) -> Tensor:
    """``values[groups]``; index_select does it faster."""
    return values.index_select(0, groups.reshape(-1)).view(groups.shape)


def instance_groups(options: InstanceGroupsOptions, site: Site, bits: int) -> InstanceGroups:
    """The quantizer for ``site``.

    Raises :class:`harness.QuantizationError` for a weight, and for rows on a site that has none.
    """
    if site.is_weight or (options.axis == "rows" and site.layout.row is None):
        raise QuantizationError(f"site {site.path!r} has no {options.axis} of instances to group",
                                "instance_groups is for activations; axis rows for softmax attentions")
    if options.axis == "channels" and site.layout.channel != -1:
        raise QuantizationError(f"channels of site {site.path!r} are not its last axis",
                                "instance_groups is for the inputs of linear layers and attention products")
    return InstanceGroups(options, bits)
