"""Which positions of a site's tensor share a bit-width, and which a scale."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Partition, Site


def bit_partition(site: Site, granularity: str, compat_head_axis: bool = False) -> Partition:
    """The positions with one bit-width: heads (``granularity`` ``"head"``) or the layer's tensor (``"layer"``).

    A fused projection holds the paper's separate matrices W_q, W_k, W_v, each with bits of its own.
    """
    split = site.layout.split
    if split is None:
        return Partition.tensor()
    if granularity == "layer":
        return _matrices(site)
    if compat_head_axis and site.is_weight:
        return _compat(site)
    return site.layout.partition("module_head" if split.parts > 1 else "head")


def scale_partition(site: Site, bits: Partition, per_head: bool) -> Partition:
    """The positions with one scale for each bit-width: the slots of ``bits``, or one for each matrix."""
    return bits if per_head else _matrices(site)


def owners(bits: Partition, scales: Partition) -> Tensor:
    """The scale's slot of each bit-width's slot, int64 (slots of ``bits``,); each lies within one of ``scales``."""
    slot, owner = torch.broadcast_tensors(bits.index, scales.index)
    return torch.zeros(bits.slots, dtype=torch.int64).scatter_(0, slot.reshape(-1), owner.reshape(-1))


def _matrices(site: Site) -> Partition:
    split = site.layout.split
    return site.layout.partition("module" if split is not None and split.parts > 1 else "tensor")


def _compat(site: Site) -> Partition:
    """The official code views a weight (out, in) as (Cin, heads, Cout / heads): heads lie along the other axis."""
    split = site.layout.split
    assert split is not None
    out, inner = (torch.arange(size or 1) for size in site.layout.sizes)
    if split.axis == -1:
        return Partition.along(out * split.heads // len(out), -2, "head")
    head = inner * split.heads // len(inner)
    if split.parts == 1:
        return Partition.along(head, -1, "head")
    part = out * split.parts // len(out)
    return Partition(part[:, None] * split.heads + head, split.parts * split.heads, "module_head")
