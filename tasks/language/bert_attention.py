"""The quantizable twin of transformers' BERT self-attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from harness import AttentionTwin, HeadSplit, QuantizationError


class BertSelfAttentionTwin(AttentionTwin):
    """Twin of ``transformers.models.bert.modeling_bert.BertSelfAttention``, whatever its attention implementation.

    Raises :class:`harness.QuantizationError` for a decoder, whose attention is causal and keeps what it has seen.
    """

    query: nn.Module
    key: nn.Module
    value: nn.Module

    def __init__(self, original: Any) -> None:
        if original.is_decoder:
            raise QuantizationError("BERT as a decoder is not supported", "Use a configuration with is_decoder=false")
        # Dropout is called by the twin's core where the original calls it by its rate.
        super().__init__(original, original.num_attention_heads, original.attention_head_size, original.dropout)
        self.scale = float(original.attention_head_size**-0.5)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        heads = self.core.heads
        return {**{name: ("out", HeadSplit(-2, heads)) for name in ("query", "key", "value")},
                "../output.dense": ("in", HeadSplit(-1, heads))}

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
                ) -> tuple[Tensor, Tensor]:
        """(batch, token, channel) -> the same, and the attention map before its quantizer (batch, head, token, token).

        ``attention_mask`` broadcasts against the map: true where something is attended to, or numbers that are added
        to the scores.
        """
        bias = None if attention_mask is None else _additive(attention_mask, hidden_states)
        attention = self.core.weights(self._heads(self.query(hidden_states)), self._heads(self.key(hidden_states)),
                                      self.scale, bias)
        attended = self.core.values(attention, self._heads(self.value(hidden_states)))
        return attended.transpose(1, 2).flatten(2), attention

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, token, channel) -> (batch, head, token, dim)."""
        return projected.unflatten(-1, (self.core.heads, self.core.dim)).transpose(1, 2)


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """A boolean mask as 0 and the least number, as transformers' own additive masks; one of numbers as it is."""
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(
            ~mask, torch.finfo(like.dtype).min)
    if not mask.is_floating_point():
        raise QuantizationError(f"BERT's attention was called with a mask of type {mask.dtype}",
                                "Only boolean and floating-point masks are supported by this adapter")
    return mask
