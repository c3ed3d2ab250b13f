"""The bins of quantized weights: which integer of which module each weight is rounded to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from harness import Identity, InstrumentedModel, Partition, Quantizer


@runtime_checkable
class Bins(Protocol):
    """A quantizer with uniform bins: width ``scale`` and :meth:`limits` of each slot of a ``partition``."""

    partition: Partition
    scale: Tensor

    def limits(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest integer of each slot, ``(slots,)``."""


@runtime_checkable
class Signs(Protocol):
    """A quantizer with two bins for each slot of a ``partition``: minus and plus the slot's scale."""

    partition: Partition

    def signs(self, tensor: Tensor) -> Tensor:
        """-1 or +1 for each element, of its shape."""


def quantized_weights(model: InstrumentedModel) -> Iterator[tuple[str, Tensor, Quantizer]]:
    """Path, weight and quantizer of every quantized weight, in module order; not of tables of words."""
    for path, site in model.sites.items():
        quantizer = model.quantizer(path)
        if site.is_weight and site.role != "word_embedding" and not isinstance(quantizer, Identity):
            yield path, model.operation(site.operation).get_parameter("weight"), quantizer


def centred(weight: Tensor, quantizer: Bins) -> Tensor:
    """The weight without the offset that some quantizers learn (LSQ+)."""
    offset: Tensor | None = getattr(quantizer, "offset", None)
    return weight if offset is None else weight - quantizer.partition.spread(offset)


@torch.no_grad()
def integers(weight: Tensor, quantizer: Bins) -> Tensor:
    """``x_int = round(clip(w / s, -Q_N, Q_P))`` of eq. 11, floats of the weight's shape; of a :func:`centred` one.

    At one bit it is the sign.
    """
    if isinstance(quantizer, Signs):
        return quantizer.signs(weight)
    # An optimizer's step may leave a scale that is not positive, until the next forward mends it.
    scale = quantizer.scale.clamp(min=torch.finfo(weight.dtype).tiny)
    low, high = quantizer.limits()
    return clipped(weight / quantizer.partition.spread(scale), low, high, quantizer.partition).round_()


def clipped(values: Tensor, low: Tensor, high: Tensor, partition: Partition) -> Tensor:
    """``values`` clipped in place to the limits of their slots, ``(slots,)`` each."""
    if bool(((low == low[0]) & (high == high[0])).all()):  # numbers, because clamping by tensors is not vectorised
        return values.clamp_(low[0].item(), high[0].item())
    return values.clamp_(partition.spread(low), partition.spread(high))


def quantized_slots(quantizer: Bins) -> Tensor:
    """Which slots are quantized at all, bool ``(slots,)``, on the quantizer's device."""
    kept: Tensor | None = getattr(quantizer, "kept", None)
    return torch.ones_like(quantizer.limits()[0], dtype=torch.bool) if kept is None else ~kept
