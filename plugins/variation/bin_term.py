"""Eq. 10 of one weight with its gradients, in closed form and for all bins at once."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Quantizer

from .bins import Bins, Signs, centred, clipped, integers, quantized_slots
from .options import BinOptions


def bin_term(weight: Tensor, quantizer: Quantizer, options: BinOptions) -> Tensor:
    """``sum_m (error_m + sum_n Var(w of m in bin n))`` over the modules m of a weight, a scalar with gradients.

    A module is a slot of the quantizer. For ``mean_sq`` weights are clipped to the range of the integers first
    (official code), so that what lies outside of it has a gradient to the scale and none to the weight; weights of one
    bit have no such range. A quantizer whose bins are not uniform is one module, and its bins are the values it takes.
    """
    if isinstance(quantizer, Bins) and not isinstance(quantizer, Signs):
        return _uniform(centred(weight, quantizer), quantizer, options)
    with torch.no_grad():
        rounded = quantizer(weight)
    if isinstance(quantizer, Signs):
        return _two_valued(weight, weight.detach() - rounded, quantizer, options)
    with torch.no_grad():
        bins = rounded.unique(return_inverse=True)[1].int()
        value, slope = _summed(weight - rounded, bins, (1, int(bins.max()) + 1), options)
    return _with_gradients(value.sum(), (weight, slope))


def _uniform(weight: Tensor, quantizer: Bins, options: BinOptions) -> Tensor:
    with torch.no_grad():
        partition, scale = quantizer.partition, quantizer.partition.spread(quantizer.scale)
        low, high = quantizer.limits()
        codes, slots = integers(weight, quantizer), partition.index.to(weight.device)
        shape = partition.slots, int((high - low).max()) + 1
        bins = (codes - partition.spread(low)).int() + shape[1] * slots.int()
        within = weight if options.error == "l2norm" else clipped(
            weight.clone(), low * quantizer.scale, high * quantizer.scale, partition)
        value, slope = _summed(within - codes * scale, bins, shape, options)
        quantized = quantized_slots(quantizer)
        slope *= partition.spread(quantized.to(slope.dtype))
        outside = (within != weight).nonzero(as_tuple=True)
        owner = torch.broadcast_to(slots, weight.shape)[outside]
        to_scale = torch.zeros_like(quantizer.scale).index_add(0, owner, slope[outside] * codes[outside])
        slope[outside] = 0
    return _with_gradients(value[quantized].sum(), (weight, slope), (quantizer.scale, to_scale))


def _two_valued(weight: Tensor, rest: Tensor, quantizer: Signs, options: BinOptions) -> Tensor:
    slots = quantizer.partition.index.to(weight.device)
    bins = (quantizer.signs(weight) > 0).int() + 2 * slots.int()
    value, slope = _summed(rest, bins, (quantizer.partition.slots, 2), options)
    return _with_gradients(value.sum(), (weight, slope))


def _summed(rest: Tensor, bins: Tensor, shape: tuple[int, int], options: BinOptions) -> tuple[Tensor, Tensor]:
    """The term of each module, and its slope at each weight.

    ``rest``: w - w_q. ``bins``: of each weight, int32, numbered module by module. ``shape``: (modules, bins of each). A
    bin's variance is that of its ``rest``, so the sums of it and of its square over each bin give everything.
    """
    flat, index = rest.reshape(-1), bins.reshape(-1)
    count = torch.bincount(index, minlength=shape[0] * shape[1]).view(shape).to(rest.dtype)
    total, squares = (rest.new_zeros(count.numel()).index_add(0, index, values).view(shape)
                      for values in (flat, flat.square()))
    share = (count >= options.min_count) / (count - options.ddof).clamp(min=1)
    mean = total / count.clamp(min=1)
    variance = (share * (squares - total * mean)).sum(1)
    if options.error == "mean_sq":
        error = squares.sum(1) / count.sum(1)
        rise = 2 / count.sum(1)
    else:
        error = squares.sum(1).sqrt()
        rise = torch.where(error > 0, 1 / error, 0)
    steepness, shift = rise[:, None] + 2 * share, -2 * share * mean
    slope = steepness.reshape(-1).index_select(0, index).mul_(flat).add_(shift.reshape(-1).index_select(0, index))
    return error + variance, slope.view(rest.shape)


def _with_gradients(value: Tensor, *slopes: tuple[Tensor, Tensor]) -> Tensor:
    """``value`` with a known gradient to each of the tensors."""
    linear = torch.stack([(tensor * slope).sum() for tensor, slope in slopes]).sum()
    return value + (linear - linear.detach())
