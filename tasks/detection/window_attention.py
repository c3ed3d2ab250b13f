"""The quantizable twin of mmdet's window attention (Swin)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from harness import AttentionTwin, HeadSplit


class WindowAttentionTwin(AttentionTwin):
    """Twin of ``mmdet.models.backbones.swin.WindowMSA``; a window is a batch entry."""

    qkv: nn.Module
    proj: nn.Module
    proj_drop: nn.Module
    relative_position_bias_table: Tensor
    relative_position_index: Tensor

    def __init__(self, original: Any) -> None:
        super().__init__(original, original.num_heads, original.embed_dims // original.num_heads, original.attn_drop)
        self.scale = float(original.scale)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        heads = self.core.heads
        return {"qkv": ("out", HeadSplit(-2, heads, 3)), "proj": ("in", HeadSplit(-1, heads))}

    def position_bias(self) -> Tensor:
        """Relative position bias, (head, token, token)."""
        return self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(pictures * windows, token, channel), ``mask`` (windows, token, token) -> like ``x``."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.core.heads, self.core.dim).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        bias = self.position_bias()
        if mask is not None:
            # Windows vary fastest in the batch: the masks are repeated for every picture.
            bias = (bias + mask.unsqueeze(1)).repeat(batch // len(mask), 1, 1, 1)
        attended = self.core(query, key, value, self.scale, bias)
        return self.proj_drop(self.proj(attended.transpose(1, 2).reshape(batch, tokens, -1)))
