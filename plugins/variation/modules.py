"""Which module of a transformer a site belongs to: feed-forward network, attention, its q, k and v."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Site

from .options import VariationOptions

_OF_ROLE: dict[str, frozenset[str]] = {
    "fc1": frozenset({"ffn"}), "fc2": frozenset({"ffn"}),
    "qkv": frozenset({"mhsa"}), "attention": frozenset({"mhsa"}), "proj": frozenset({"mhsa"}),
    "query": frozenset({"mhsa", "q"}), "key": frozenset({"mhsa", "k"}), "value": frozenset({"mhsa", "v"})}

#: Roles of the matrices in a fused projection, in their order.
_FUSED = ("query", "key", "value")


def is_module(role: str) -> bool:
    """Whether what has this role is part of attention or of a feed-forward network."""
    return role in _OF_ROLE


def kept_parts(site: Site, options: VariationOptions) -> list[bool]:
    """Whether each part of the site's tensor stays in full precision (Tables 1 and 9).

    A fused projection's weight has three parts, W_q, W_k and W_v; every other tensor is one. The input of the
    projections belongs to attention, but to none of q, k, v alone.
    """
    if options.module_sites == "weights" and not site.is_weight:
        return [bool(options.only)]
    split = site.layout.split
    if site.role == "qkv" and site.is_weight and split is not None and split.parts == len(_FUSED):
        return [_kept(_OF_ROLE[role], options) for role in _FUSED]
    modules = _OF_ROLE.get(site.role, frozenset())
    if site.operand == "input" and site.role in _FUSED:
        modules = frozenset({"mhsa"})
    return [_kept(modules, options)]


def _kept(modules: frozenset[str], options: VariationOptions) -> bool:
    return bool(modules & set(options.leave_out)) or bool(options.only and not modules & set(options.only))


def slots_of_parts(site: Site, index: Tensor, slots: int, chosen: list[bool]) -> Tensor:
    """The slots that lie in the chosen parts of a fused weight, bool ``(slots,)``.

    ``index``: the slot of each position along the fused axis. Each slot must lie within one part.
    """
    parts = torch.tensor(chosen)[site.layout.partition("module").index.reshape(-1)]
    return torch.zeros(slots, dtype=torch.bool).scatter_(0, index.reshape(-1), parts)


def slots_of_head(site: Site, index: Tensor, slots: int, head: int) -> Tensor | None:
    """The slots of one head of a site, bool ``(slots,)``; ``None`` where a slot has parts of several heads."""
    heads = site.layout.partition("head").index.reshape(-1)
    if index.numel() != heads.numel():
        return None
    inside = torch.zeros(slots, dtype=torch.bool).scatter_(0, index.reshape(-1), heads == head)
    owners = inside[index.reshape(-1)] == (heads == head)
    return inside if bool(owners.all()) else None
