"""How many values a quantizer uses, slot by slot."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..model.site import Site
from ..quantizers.base import Quantizer
from .law import require

#: What a description says, and as what.
_DESCRIPTION: dict[str, type | tuple[type, ...]] = {
    "quantizer": str, "bits": (int, list), "granularity": str, "groups": int, "dynamic": bool}
#: Said only where it is more than 1.
_EXPANSION = "expansion"


def check_description(path: str, described: dict[str, Any], plain: bool) -> None:
    """Require what :meth:`harness.Quantizer.describe` promises; ``plain``: of a quantizer that is not the identity."""
    missing = _DESCRIPTION.keys() ^ (described.keys() - {_EXPANSION})
    require(not missing, f"the description of {path} lacks, or has beyond what is agreed: {', '.join(sorted(missing))}")
    require(described.get(_EXPANSION, 2.0) > 1, f"{path}: expansion is {described.get(_EXPANSION)}")
    for key, kind in _DESCRIPTION.items():
        require(isinstance(described[key], kind), f"{path}: {key} is {described[key]!r}")
    each = described["bits"] if isinstance(described["bits"], list) else [described["bits"]]
    require(all(1 <= bits <= 32 for bits in each), f"{path}: bits are {each}")
    fewest = 1 if plain and not described["dynamic"] else 0
    require(described["groups"] >= fewest, f"{path}: groups are {described['groups']}")


def check_levels(site: Site, quantizer: Quantizer, quantized: Tensor) -> None:
    """Require that ``quantized`` takes at most ``2^bits`` values in each slot of the quantizer."""
    described, path = quantizer.describe(), site.path
    each = described["bits"] if isinstance(described["bits"], list) else [described["bits"]] * described["groups"]
    channel, channels = _channels(site, quantized)
    added = round((described.get(_EXPANSION, 1.0) - 1) * channels)
    partition = getattr(quantizer, "partition", None)
    if partition is not None and partition.slots == len(each):
        slots = torch.zeros(quantized.shape, dtype=torch.int64) + partition.index
        for slot, bits in enumerate(each):
            inside = slots == slot
            _check_slot(f"{path}: slot {slot}", quantized[inside], channel[inside], [bits], added)
    else:
        _check_slot(path, quantized.flatten(), channel.flatten(), each, added)


def _check_slot(name: str, values: Tensor, channel: Tensor, bits: list[int], added: int) -> None:
    """With ``added`` input channels, one of them stands for at most ``c = added + 1`` real ones.

    A sum of c integers of b bits takes at most c (2^b - 1) + 1 values; and what more than ``added`` channels take is
    taken by one that is not a sum.
    """
    takers = _takers(values, channel)
    most = sum((added + 1) * (2**b - 1) + 1 for b in bits)
    require(len(takers) <= most, f"{name} takes {len(takers)} values")
    plain = int((takers > added).sum())
    require(plain <= sum(2**b for b in bits), f"{name} takes {plain} values in channels that are not sums")


def _takers(values: Tensor, channel: Tensor) -> Tensor:
    """For each value how many channels take it; values that differ by rounding in floating-point sums are one."""
    ordered, place = values.unique(return_inverse=True)
    if not len(ordered):
        return place
    apart = torch.diff(ordered) > 1e-5 * ordered.abs().max()
    level = torch.cat((torch.zeros(1, dtype=torch.int64), apart.cumsum(0)))[place]
    channels = int(channel.max()) + 1
    return torch.bincount((level * channels + channel).unique() // channels)


def _channels(site: Site, tensor: Tensor) -> tuple[Tensor, int]:
    """The input channel of every element of a weight, or the channel of an activation, and how many there are."""
    axes = site.layout.axes
    name = "in" if site.is_weight else "channel"
    if name not in axes:
        return torch.zeros(tensor.shape, dtype=torch.int64), 1
    axis = tensor.dim() - len(axes) + axes.index(name)
    shape = [-1 if each == axis else 1 for each in range(tensor.dim())]
    return torch.arange(tensor.shape[axis]).reshape(shape).expand(tensor.shape), tensor.shape[axis]
