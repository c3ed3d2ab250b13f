"""Eq. (7) as an integer accelerator would compute it: the proof that fake quantization is exact.

Not used in evaluation, where quantized values in floating point give the same product faster.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness import QuantizationError, Uniform

from .quantizer import InstanceGroups


def group_matmul(tensor: Tensor, weight: Tensor, bias: Tensor | None, activations: InstanceGroups,
                 weights: Uniform) -> Tensor:
    """The linear layer of one instance, one integer product per group of channels.

    ``Y[n, o] = sum_i s_i sw_o sum_{c: pi_c = i} (Xq[n, c] - z_i) (Wq[o, c] - zw_o) + bias_o``, where sums inside a
    group are of integers and sums over groups of real numbers. ``tensor`` (N, C), ``weight`` (D, C), result
    (N, D) in float64. Raises :class:`harness.QuantizationError` where rows are grouped (they are not reduced
    over), or weights are not quantized per output channel or tensor.
    """
    if activations.axis != "channels" or weights.partition.granularity not in ("channel", "tensor"):
        raise QuantizationError("a group product needs grouped channels, and weights quantized per output channel",
                                "Use axis=channels, and granularity=channel for the weights")
    low, high = weights.limits()
    weight_scale = weights.partition.spread(weights.scale.detach())
    weight_integers = (weight.detach() / weight_scale).round()
    weight_integers = torch.minimum(torch.maximum(weight_integers, weights.partition.spread(low)),
                                    weights.partition.spread(high)).long()
    groups = activations.assign(tensor[None]).reshape(-1)
    product = torch.zeros(len(tensor), len(weight), dtype=torch.float64)
    for group in range(activations.groups):
        members = (groups == group).nonzero().squeeze(-1)
        integers = (tensor[:, members] / activations.scale[group]).round()
        integers = integers.clamp(float(activations.low[group]), float(activations.high[group])).long()
        accumulated = (integers[:, None] * weight_integers[None][:, :, members]).sum(-1)
        product += activations.scale[group].double() * weight_scale.double().reshape(1, -1) * accumulated
    return product if bias is None else product + bias.double()
