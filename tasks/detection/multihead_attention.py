"""The quantizable twin of ``torch.nn.MultiheadAttention`` (DETR, through mmcv's wrapper around it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from harness import AttentionTwin, HeadSplit, QuantizationError

from .fused_projection import FUSED, LAYERS, OPENED, fused, opened


class MultiheadAttentionTwin(AttentionTwin):
    """Self- or cross-attention whose fused input projection is opened into three linear layers.

    ``q_proj``, ``k_proj`` and ``v_proj`` are operations of their own, because query, key and value may be
    three different tensors (DETR adds positions to the first two). Their weights are the rows of the
    original's and take its place; the state dict keeps the original's names and shapes.

    Raises :class:`harness.QuantizationError` for ``add_bias_kv`` and ``add_zero_attn``, which append keys and
    values that no projection makes.
    """

    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    out_proj: nn.Module

    def __init__(self, original: Any) -> None:
        if original.bias_k is not None or original.add_zero_attn:
            raise QuantizationError("MultiheadAttention with add_bias_kv or add_zero_attn is not supported",
                                    "Use a model whose attention has neither")
        super().__init__(original, original.num_heads, original.head_dim, nn.Dropout(original.dropout))
        self.batch_first = bool(original.batch_first)
        self._separate = original.in_proj_weight is None
        own = dict(self.named_parameters(recurse=False))
        for name in own:
            delattr(self, name)
        # torch's transformer layers take their fused path, past all twins, unless they find None here.
        self.register_parameter("in_proj_bias", None)
        tensors = opened(own)
        for layer in LAYERS:
            self.add_module(layer, _linear(tensors[f"{layer}.weight"], tensors.get(f"{layer}.bias")))
        self.train(original.training)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        heads = self.core.heads
        return {layer: ("out", HeadSplit(-2, heads)) for layer in LAYERS} | {"out_proj": ("in", HeadSplit(-1, heads))}

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
                need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """As ``torch.nn.MultiheadAttention``: the result, and the attention map before its quantizer.

        ``query`` (batch, n, channel), ``key`` and ``value`` (batch, m, channel); the first two axes swapped
        where the module is not ``batch_first``, the first one missing where there is no batch.
        ``key_padding_mask`` (batch, m), ``attn_mask`` (n, m) or (batch * head, n, m): true, or ``-inf``, where
        nothing is attended to. The map is (batch, n, m), or (batch, head, n, m) where it is not averaged.

        Raises :class:`harness.QuantizationError` for ``is_causal`` and for masks of integers.
        """
        if is_causal:
            raise QuantizationError("MultiheadAttention was called with is_causal",
                                    "Only masks that are given as tensors are supported by this adapter")
        if query.dim() == 2:
            padding = None if key_padding_mask is None else key_padding_mask[None]
            output, attention = self._attend(query[None], key[None], value[None], padding, attn_mask)
            output, attention = output[0], attention[0]
        elif self.batch_first:
            output, attention = self._attend(query, key, value, key_padding_mask, attn_mask)
        else:
            output, attention = self._attend(query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1),
                                             key_padding_mask, attn_mask)
            output = output.transpose(0, 1)
        if not need_weights:
            return output, None
        return output, attention.mean(-3) if average_attn_weights else attention

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
                ) -> tuple[Tensor, Tensor]:
        """(batch, n, channel), 2 x (batch, m, channel) -> (batch, n, channel), (batch, head, n, m)."""
        bias = None if padding is None else _additive(padding, query)[:, None, None]
        if mask is not None:
            added = _additive(mask, query)
            added = added if mask.dim() == 2 else added.unflatten(0, (-1, self.core.heads))
            bias = added if bias is None else bias + added
        attention = self.core.weights(self._heads(self.q_proj(query)), self._heads(self.k_proj(key)),
                                      self.core.dim**-0.5, bias)
        attended = self.core.values(attention, self._heads(self.v_proj(value)))
        return self.out_proj(attended.transpose(1, 2).flatten(2)), attention

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, token, channel) -> (batch, head, token, dim)."""
        return projected.unflatten(-1, (self.core.heads, self.core.dim)).transpose(1, 2)

    def restored(self) -> nn.Module:
        original: nn.Module = super().restored()
        own = {name: tensor for name, tensor in self.named_parameters() if name in OPENED}
        trained = any(parameter.requires_grad for parameter in own.values())
        for name, tensor in fused(own, self._separate).items():
            parameter = getattr(original, name)
            if parameter is None:  # a method has given a bias to a layer without one
                original.register_parameter(name, nn.Parameter(tensor.detach(), requires_grad=trained))
            else:
                parameter.data = tensor.detach()
                parameter.requires_grad_(trained)
        return original

    def state_dict(  # type: ignore[override]  # the superclass has overloads
            self, *args: Any, prefix: str = "", **kwargs: Any) -> dict[str, Any]:
        """Under the names of the original module (and the quantizers of the three layers under their own)."""
        state = super().state_dict(*args, prefix=prefix, **kwargs)
        own = {name: state.pop(prefix + name) for name in OPENED if prefix + name in state}
        state.update({prefix + name: tensor for name, tensor in fused(own, self._separate).items()})
        return state

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        own = {name: state_dict.pop(prefix + name) for name in FUSED if prefix + name in state_dict}
        state_dict.update({prefix + name: tensor for name, tensor in opened(own).items()})
        super()._load_from_state_dict(state_dict, prefix, *args)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer over the memory of ``weight`` and ``bias``."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None:
            layer.register_parameter(name, nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad))
    return layer


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """A boolean mask as 0 and ``-inf``; one of numbers as it is."""
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, float("-inf"))
    if not mask.is_floating_point():
        raise QuantizationError(f"MultiheadAttention was called with a mask of type {mask.dtype}",
                                "Only boolean and floating-point masks are supported by this adapter")
    return mask
