"""The quantizable twins: an operation of a model with one quantizer for each of its operands.

A twin shares the parameters of the module that it replaces. With identity quantizers it computes
the same function. Weights can be baked: quantized once and kept, for as long as nothing trains them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from ..quantizers.base import Identity, Quantizer


def share_tensors(source: nn.Module, target: nn.Module) -> None:
    """Register the parameters and buffers of ``source`` itself (not its children's) on ``target``."""
    for name, parameter in source.named_parameters(recurse=False):
        target.register_parameter(name, parameter)
    for name, buffer in source.named_buffers(recurse=False):
        target.register_buffer(name, buffer, persistent=name not in source._non_persistent_buffers_set)


class Quantizable(nn.Module):
    """An operation with named operands, each seen by a quantizer first."""

    def __init__(self, operands: Iterable[str]) -> None:
        super().__init__()
        self.quantizers = nn.ModuleDict({operand: Identity() for operand in operands})
        self._baked: Tensor | None = None

    def quantize(self, operand: str, tensor: Tensor) -> Tensor:
        """``tensor`` through the quantizer of ``operand``."""
        quantizer: Quantizer = self.quantizers[operand]  # type: ignore[assignment]
        return quantizer(tensor)


class QuantizableParametric(Quantizable):
    """An operation with a weight, built over the original module, whose parameters it shares."""

    operands: tuple[str, ...] = ("weight", "input")
    weight: nn.Parameter
    bias: nn.Parameter | None
    #: The class whose forward the twin repeats.
    kind: type[nn.Module]
    #: Whether it does; a subclass with a forward of its own is called instead.
    is_plain: bool

    def __init__(self, original: nn.Module) -> None:
        super().__init__(self.operands)
        # Kept out of the module tree: its parameters are registered here, under their own names.
        self.__dict__["original"] = original
        share_tensors(original, self)
        if getattr(original, "bias", None) is None:
            self.register_parameter("bias", None)
        self.is_plain = type(original).forward is self.kind.forward
        self.train(original.training)

    @property
    def quantized_weight(self) -> Tensor:
        """The weight as the operation uses it, same shape as ``weight``."""
        if self._baked is not None and self.quantizers["weight"].enabled:
            return self._baked
        return self.quantize("weight", self.weight)

    def bake(self) -> None:
        """Keep the quantized weight until :meth:`unbake` (evaluation pays for it once)."""
        with torch.no_grad():
            self._baked = self.quantize("weight", self.weight).detach()

    def unbake(self) -> None:
        """Quantize the weight at every forward again."""
        self._baked = None

    def restored(self) -> nn.Module:
        """The original module, with this twin's present parameters and mode."""
        original: nn.Module = self.__dict__["original"]
        share_tensors(self, original)
        return original.train(self.training)

    def _apply_original(self, weight: Tensor, *args: Any) -> Tensor:
        """The original forward (of a subclass with its own padding, say) with another weight."""
        tensors = dict(self.named_parameters(recurse=False)) | dict(self.named_buffers(recurse=False))
        return functional_call(self.__dict__["original"], tensors | {"weight": weight}, args)


class QuantizableLinear(QuantizableParametric):
    """``input``: (..., in), ``weight``: (out, in)."""

    kind = nn.Linear

    def forward(self, input: Tensor) -> Tensor:
        quantized, weight = self.quantize("input", input), self.quantized_weight
        if not self.is_plain:
            return self._apply_original(weight, quantized)
        return functional.linear(quantized, weight, self.bias)


class QuantizableConv2d(QuantizableParametric):
    """``input``: (batch, in, height, width), ``weight``: (out, in / groups, height, width)."""

    kind = nn.Conv2d

    def forward(self, input: Tensor) -> Tensor:
        quantized, weight = self.quantize("input", input), self.quantized_weight
        o: nn.Conv2d = self.__dict__["original"]
        if not self.is_plain or o.padding_mode != "zeros":
            return self._apply_original(weight, quantized)
        return functional.conv2d(quantized, weight, self.bias, o.stride, o.padding, o.dilation, o.groups)


class QuantizableConvTranspose2d(QuantizableParametric):
    """``input``: (batch, in, height, width), ``weight``: (in, out / groups, height, width).

    With groups, the output channels at the same place of every group share what a channel has.
    """

    kind = nn.ConvTranspose2d

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        quantized, weight = self.quantize("input", input), self.quantized_weight
        o: Any = self.__dict__["original"]
        asked = () if output_size is None else (output_size,)
        if asked or not self.is_plain:
            return self._apply_original(weight, quantized, *asked)
        return functional.conv_transpose2d(
            quantized, weight, self.bias, o.stride, o.padding, o.output_padding, o.groups, o.dilation)


class QuantizableEmbedding(QuantizableParametric):
    """``weight``: (entries, dim). Its input is a list of indices and has no site."""

    kind = nn.Embedding
    operands = ("weight",)

    def forward(self, input: Tensor) -> Tensor:
        return self._apply_original(self.quantized_weight, input)


class QuantizableMatMul(Quantizable):
    """A product of two activations, ``left @ right``; operands are named by the attention core."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__((left, right))
        self.left, self.right = left, right

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """(..., n, k) @ (..., k, m) -> (..., n, m)."""
        return self.quantize(self.left, left) @ self.quantize(self.right, right)


class QuantizableScores(QuantizableMatMul):
    """Attention scores ``scale * query @ key^T``; query (..., n, d), key (..., m, d)."""

    def __init__(self) -> None:
        super().__init__("query", "key")

    def forward(self, query: Tensor, key: Tensor, scale: float | Tensor) -> Tensor:  # type: ignore[override]
        # The scale multiplies after the quantizer: a quantizer sees q as the papers define it.
        query = self.quantize("query", query)
        key = self.quantize("key", key).transpose(-2, -1)
        return (query * scale) @ key if isinstance(scale, float) else (query @ key) * scale
