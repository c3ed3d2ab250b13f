"""Quantizable twins of timm's attention classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from harness import AttentionTwin, HeadSplit, QuantizationError


class ViTAttention(AttentionTwin):
    """Twin of ``timm.layers.attention.Attention`` (ViT, DeiT, and all built on them)."""

    qkv: nn.Module
    q_norm: nn.Module
    k_norm: nn.Module
    norm: nn.Module
    proj: nn.Module
    proj_drop: nn.Module

    def __init__(self, original: Any) -> None:
        super().__init__(original, original.num_heads, original.head_dim, original.attn_drop)
        self.scale = float(original.scale)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        heads = self.core.heads
        return {"qkv": ("out", HeadSplit(-2, heads, 3)), "gate": ("out", HeadSplit(-2, heads)),
                "proj": ("in", HeadSplit(-1, heads))}

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """(batch, token, channel) -> (batch, token, channel)."""
        if is_causal or (attn_mask is not None and not attn_mask.is_floating_point()):
            raise QuantizationError("this attention layer was called with a causal or boolean mask",
                                    "Only additive floating-point masks are supported by this adapter")
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.core.heads, self.core.dim).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        attended = self.core(self.q_norm(query), self.k_norm(key), value, self.scale, attn_mask)
        merged = self.norm(attended.transpose(1, 2).reshape(batch, tokens, -1))
        gate: nn.Module | None = getattr(self, "gate", None)  # timm registers none where attention is not gated
        if gate is not None:
            merged = merged * gate(x).sigmoid()
        return self.proj_drop(self.proj(merged))


class SwinWindowAttention(AttentionTwin):
    """Twin of ``timm.models.swin_transformer.WindowAttention``; a window is a batch entry."""

    qkv: nn.Module
    proj: nn.Module
    proj_drop: nn.Module
    relative_position_bias_table: Tensor
    relative_position_index: Tensor

    def __init__(self, original: Any) -> None:
        dim = original.qkv.out_features // (3 * original.num_heads)
        super().__init__(original, original.num_heads, dim, original.attn_drop)
        self.scale = float(original.scale)
        self.window_area = original.window_area

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        return {"qkv": ("out", HeadSplit(-2, self.core.heads, 3)), "proj": ("in", HeadSplit(-1, self.core.heads))}

    def position_bias(self) -> Tensor:
        """Relative position bias (1, head, token, token)."""
        area = self.window_area
        table = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        return table.view(area, area, -1).permute(2, 0, 1).unsqueeze(0)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(windows * batch, token, channel), mask (windows, token, token) -> like ``x``."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.core.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        bias = self.position_bias()
        if mask is not None:
            # Windows vary fastest in the batch: one mask for each, repeated for every picture.
            bias = (bias + mask.unsqueeze(1)).repeat(batch // mask.shape[0], 1, 1, 1)
        attended = self.core(query, key, value, self.scale, bias)
        return self.proj_drop(self.proj(attended.transpose(1, 2).reshape(batch, tokens, -1)))
