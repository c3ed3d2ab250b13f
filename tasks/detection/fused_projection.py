"""The parameters of ``torch.nn.MultiheadAttention``: fused as the module names them, opened as three layers.

``in_proj_weight`` (3 * channel, channel) holds the rows of query, key and value one after the other, and
``in_proj_bias`` theirs; where keys or values have a width of their own, there is a weight for each.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: The three linear layers, in the order of the fused rows.
LAYERS = ("q_proj", "k_proj", "v_proj")
OPENED = tuple(f"{layer}.{tensor}" for layer in LAYERS for tensor in ("weight", "bias"))
FUSED = ("in_proj_weight", "in_proj_bias", *(f"{layer}_weight" for layer in LAYERS))


def opened(fused: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of :data:`OPENED`, views of those given by the names of :data:`FUSED`."""
    tensors = {f"{layer}.weight": fused[f"{layer}_weight"] for layer in LAYERS if f"{layer}_weight" in fused}
    for name in ("weight", "bias"):
        if f"in_proj_{name}" in fused:
            parts = fused[f"in_proj_{name}"].chunk(len(LAYERS))
            tensors |= {f"{layer}.{name}": part for layer, part in zip(LAYERS, parts, strict=True)}
    return tensors


def fused(opened: Mapping[str, Tensor], separate: bool) -> dict[str, Tensor]:
    """The inverse of :func:`opened`; ``separate``: the module has a weight for each. A missing bias is 0."""
    weights = [opened[f"{layer}.weight"] for layer in LAYERS]
    tensors = ({f"{layer}_weight": weight for layer, weight in zip(LAYERS, weights, strict=True)} if separate
               else {"in_proj_weight": torch.cat(weights)})
    if any(f"{layer}.bias" in opened for layer in LAYERS):
        biases = [opened.get(f"{layer}.bias", weight.new_zeros(len(weight)))
                  for layer, weight in zip(LAYERS, weights, strict=True)]
        tensors["in_proj_bias"] = torch.cat(biases)
    return tensors
