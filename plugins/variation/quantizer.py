"""Module-dependent quantization (MDQ): a learned scale for each head of each attention module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import LearnedUniform, Partition, Site, initial_scale, lsq_scale

from .options import ModuleDependentOptions

_PARTITIONS = {"head": "module_head", "module": "module", "layer": "tensor"}


class ModuleDependent(LearnedUniform):
    """A learned scale for each module, eqs. 5 to 7; its gradient is scaled by the module's L1 norm (sec. 4.4.1).

    ``plain``: scale the gradient by ``1 / (Q_P sqrt(N))`` instead, as the official code does for activations with a
    single scale. ``kept``: slots that stay in full precision, bool ``(slots,)``, or ``None``.
    """

    kept: Tensor | None

    def __init__(self, options: ModuleDependentOptions, partition: Partition, bits: int, *, activation: bool = False,
                 unsigned: bool = False, offset: bool = False) -> None:
        rule = options.gradient_scale
        one_scale = activation and partition.slots == 1 and rule == "l1"
        super().__init__(partition, bits, "unsigned" if unsigned else "symmetric", offset=offset,
                         gradient_scale="numel" if one_scale else rule)
        self.plain = one_scale and options.activation_gradient_scale == "code"
        self.register_buffer("kept", None)

    def gradient_factor(self, tensor: Tensor, high: Tensor) -> float | Tensor:
        if self.plain:
            return 1 / (high.detach() * tensor.numel() ** 0.5)
        return super().gradient_factor(tensor, high)

    def initialise(self, tensor: Tensor, rule: str) -> None:
        """Start as the search asks; ``lsq`` has the Q_P of signed integers for unsigned ones too (official code)."""
        if rule == "lsq":
            self.set_scale(lsq_scale(tensor, self.bits, "symmetric", self.partition))
        else:
            self.set_scale(*initial_scale(tensor, rule, self.bits, self.scheme, self.partition,
                                          self.offset is not None))

    def quantize(self, tensor: Tensor) -> Tensor:
        quantized = super().quantize(tensor)
        return quantized if self.kept is None else torch.where(self.partition.spread(self.kept), tensor, quantized)

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        if self.kept is not None:
            described["bits"] = torch.where(self.kept, 32, self.bits).int().tolist()
        return described


def module_dependent(options: ModuleDependentOptions, site: Site, bits: int) -> ModuleDependent:
    """The quantizer of a site: unsigned for attention maps, unsigned with an offset after GELU, else symmetric."""
    hidden = site.role == "fc2" and site.operand == "input"
    return ModuleDependent(options, site.layout.partition(_PARTITIONS[options.granularity]), bits,
                           activation=not site.is_weight, unsigned=hidden or site.operand == "attention", offset=hidden)
