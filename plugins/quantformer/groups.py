"""The activation quantizer: groups of channels with learned ranges, one group a channel or a mixture of all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import Partition, QuantizationError, Quantizer, Site

from .bins import equal_bins, without_empty
from .clipping import clip_and_round
from .mixture import soft_mixture
from .options import GroupsOptions

#: Where the assignment's logits start: all groups alike (official code).
FIRST_LOGIT = 0.01
#: Ranges in use are kept at least this large; a group that is empty during the search may have 0.
SMALLEST = 1e-4


class GroupedRange(Quantizer):
    """``Q_R(x) = s round(clip(x, l, R) / s)`` with the learned range R of each channel's group.

    Half wave: ``l = 0``, ``s = R / (2^b - 1)``. Full wave: ``l = -R``, ``s = R / (2^(b-1) - 1)``, or
    ``R / (2^b - 1)`` with the official code's step, which is one bit more.

    ``ranges``: shape (G,). ``group``: int64, the group of each channel. ``assignment``: logits (G, C) while the
    assignment is searched, else ``None``; then every channel is the mixture of all groups with shares
    ``softmax(assignment)`` over groups (:func:`soft_mixture`), and ``group`` waits for :meth:`harden`.

    A channel's range starts at a percentile of its magnitudes, and those of groups at the largest of their bins.
    """

    group: Tensor
    assignment: nn.Parameter | None

    def __init__(self, options: GroupsOptions, site: Site, bits: int) -> None:
        super().__init__()
        self.options, self.site, self.bits = options, site, bits
        self.half_wave = options.wave == "half" or (options.wave == "auto" and site.role == "fc2")
        narrow = self.half_wave or options.compat_code_step
        self.levels = 2**bits - 1 if narrow else 2 ** (bits - 1) - 1
        if self.levels < 1:
            raise QuantizationError(f"{bits} bits have no positive level on both sides of 0 (site {site.path!r})",
                                    "Use 2 bits or more, or wave=half")
        if options.groups != 1 and not site.layout.channels:
            raise QuantizationError(f"site {site.path!r} has no fixed number of channels to group",
                                    "Use groups=1 there")
        self.ranges = nn.Parameter(torch.ones(1))
        self.register_parameter("assignment", None)
        self.register_buffer("group", torch.zeros(site.layout.channels or 1, dtype=torch.int64))

    def parameter_group(self, name: str) -> str:
        """``scales`` for the ranges, ``assignment`` for the logits."""
        return "assignment" if name == "assignment" else "scales"

    @property
    def partition(self) -> Partition:
        """Which range each channel uses once it has one group. A view of buffers, so it is loaded with them."""
        axes = [1] * (-self.site.layout.channel - 1)
        word = {len(self.group): "channel", 1: "tensor"}.get(len(self.ranges), "learned groups")
        return Partition(self.group.reshape(-1, *axes), len(self.ranges), word)

    @torch.no_grad()
    def channel_ranges(self, tensor: Tensor) -> Tensor:
        """``min(largest, percentile of the magnitudes)`` of each channel, shape (C,); half wave: of positive values."""
        rows = tensor.movedim(self.site.layout.channel, 0).flatten(1)
        magnitudes = rows.clamp(min=0) if self.half_wave else rows.abs()
        place = min(int(magnitudes.shape[1] * self.options.percent / 100), magnitudes.shape[1] - 1)
        return magnitudes.kthvalue(place + 1, dim=1).values.float().clamp(max=self.options.largest)

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str = "") -> None:
        """Start from ranges of this tensor; ``rule`` is left aside, because the method has its own."""
        self.divide(self.channel_ranges(tensor), self.options.groups)

    @torch.no_grad()
    def divide(self, ranges: Tensor, groups: int, soft: bool = False) -> None:
        """Make so many groups of channels with these ranges, (C,); 0: each channel is its own.

        ``soft``: begin a search, in which all channels belong to all groups alike.
        """
        if groups == 1:  # where the number of channels depends on the input, too
            starts, group = ranges.max()[None], torch.zeros_like(self.group)
        elif groups == 0:
            starts, group = ranges, torch.arange(len(ranges), device=ranges.device)
        else:
            starts, group = equal_bins(ranges, groups)
        if not soft:
            starts, group = without_empty(starts, group)
        self.group = group.to(self.group.device)
        self.ranges = nn.Parameter(starts.to(self.ranges.device).clone())
        self.assignment = nn.Parameter(self.ranges.new_full((groups, len(group)), FIRST_LOGIT)) if soft else None

    @torch.no_grad()
    def harden(self) -> None:
        """End the search: each channel goes to the group of its largest share."""
        if self.assignment is not None:
            ranges, self.group = without_empty(self.ranges.detach(), self.assignment.argmax(0))
            self.ranges, self.assignment = nn.Parameter(ranges.clone()), None

    @property
    def shares(self) -> Tensor:
        """pi, (G, C), with its gradient."""
        if self.assignment is None:
            return nn.functional.one_hot(self.group, len(self.ranges)).T.to(self.ranges)
        return torch.softmax(self.assignment, dim=0)

    def quantize(self, tensor: Tensor) -> Tensor:
        ranges = self.ranges
        # Through .data, because a graph that still waits for its backward may hold the same parameter.
        ranges.data.clamp_(min=SMALLEST if self.assignment is None else 0)
        steps = ranges / self.levels
        if self.assignment is not None:
            return soft_mixture(tensor, ranges, self.shares, steps.detach(), self.half_wave)
        lower = torch.zeros_like(ranges) if self.half_wave else -ranges
        return clip_and_round(tensor, lower, ranges, steps, self.partition)

    def describe(self) -> dict[str, Any]:
        finer = self.options.compat_code_step and not self.half_wave
        groups = len(self.ranges)
        granularity = "mixed groups" if self.assignment is not None else self.partition.granularity
        return {"quantizer": f"learned range, {'half' if self.half_wave else 'full'} wave",
                "bits": self.bits + finer, "granularity": granularity, "groups": groups, "dynamic": False}


def quantformer_groups(options: GroupsOptions, site: Site, bits: int) -> GroupedRange:
    """The quantizer for ``site``; raises :class:`harness.QuantizationError` for a weight."""
    if site.is_weight:
        raise QuantizationError(f"site {site.path!r} is a weight",
                                "quantformer_groups is for activations; use quantformer_weight for weights")
    return GroupedRange(options, site, bits)
