"""The uniform quantizer whose scale is learned: LSQ, LSQ+, and what is built on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import QuantizationError
from ..model.partition import Partition
from .base import Quantizer
from .fused import fake_quantize
from .uniform import integer_limits

LearnedScheme = Literal["symmetric", "unsigned"]
GradientScale = Literal["numel", "l1", "off"]

#: Learned scales are kept at least this large (Li et al., Q-ViT, official code).
SMALLEST_SCALE = 1e-4


class LearnedUniform(Quantizer):
    """``x_hat = s * round(clip((x - o) / s, low, high)) + o`` with a learned s, and a learned o if asked, per slot.

    ``scale``, ``offset`` (or ``None``) and ``bits`` have shape ``(slots,)``. Gradients: :func:`fake_quantize`. The
    scale's is multiplied by ``1 / sqrt(N * high)`` (``gradient_scale`` ``"numel"``: LSQ, Esser et al. 2020, sec. 2.2;
    N: mean number of elements of a slot), by ``1 / sqrt(||x||_1 * high)`` (``"l1"``: module-dependent quantization,
    Huang et al. 2024, sec. 4.2; the norm of each slot), or by nothing (``"off"``).
    """

    bits: Tensor
    offset: nn.Parameter | None

    def __init__(self, partition: Partition, bits: int | Sequence[int], scheme: LearnedScheme = "symmetric", *,
                 offset: bool = False, gradient_scale: GradientScale = "numel") -> None:
        super().__init__()
        self.partition, self.scheme, self.gradient_scale = partition, scheme, gradient_scale
        each = [bits] * partition.slots if isinstance(bits, int) else list(bits)
        fewest = 2 if scheme == "symmetric" else 1
        if min(each) < fewest:
            raise QuantizationError(f"{min(each)} bits have no positive level in the {scheme} scheme",
                                    f"Use {fewest} bits or more")
        self.register_buffer("bits", torch.tensor(each, dtype=torch.float32))
        self.scale = nn.Parameter(torch.ones(partition.slots))
        self.register_parameter("offset", nn.Parameter(torch.zeros(partition.slots)) if offset else None)

    def limits(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest integer of each slot, shape ``(slots,)``; overridden where bits are learned."""
        return integer_limits(self.bits, self.scheme)

    @torch.no_grad()
    def set_scale(self, scale: Tensor, offset: Tensor | None = None) -> None:
        """Start from this scale and offset, both of shape ``(slots,)``; no offset keeps the present one."""
        for values in (scale, offset):
            if values is not None and not bool(torch.isfinite(values).all()):
                raise QuantizationError("NaN or infinity in a learned scale's start",
                                        "Check the inputs, the weights and the preprocessing")
        self.scale.copy_(scale.clamp(min=SMALLEST_SCALE))
        if offset is not None:
            if self.offset is None:
                raise QuantizationError("this quantizer has no offset to set", "Make it with offset=True")
            self.offset.copy_(offset)

    def gradient_factor(self, tensor: Tensor, high: Tensor) -> float | Tensor:
        """What the scale's gradient is multiplied by, for this tensor: a number, or one of each slot."""
        if self.gradient_scale == "off":
            return 1.0
        if self.gradient_scale == "numel":
            return (high.detach() * (tensor.numel() / self.partition.slots)).rsqrt()
        size = self.partition.reduce(tensor.detach().abs(), "sum").to(high.dtype)
        # A slot of zeros has no gradient; the bound keeps it a number.
        return (high.detach() * size).clamp(min=torch.finfo(high.dtype).tiny).rsqrt()

    def quantize(self, tensor: Tensor) -> Tensor:
        # A projection, as in the papers' code: a clamp in the graph would stop the gradient that could lead back.
        # Through .data, because a graph that still waits for its backward may hold the same parameter.
        self.scale.data.clamp_(min=SMALLEST_SCALE)
        low, high = self.limits()
        return fake_quantize(tensor, self.scale, low, high, self.partition, offset=self.offset,
                             gradient_factor=self.gradient_factor(tensor, high))

    def describe(self) -> dict[str, Any]:
        bits = [int(b) for b in self.bits.tolist()]
        same = len(set(bits)) == 1
        name = f"learned {self.scheme}" + (" with offset" if self.offset is not None else "")
        return {"quantizer": name, "bits": bits[0] if same else bits, "granularity": self.partition.granularity,
                "groups": self.partition.slots, "dynamic": False}
