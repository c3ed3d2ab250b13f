"""A vision transformer of a few thousand parameters, and the adapter of its attention class.

It needs neither timm nor data; its adapter is also the shortest example of one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..model.attention import AttentionTwin
from ..model.instrument import Adapter
from ..model.site import HeadSplit

SIZE, PATCH, WIDTH, HEADS, CLASSES = 16, 4, 16, 2, 5


class TinyAttention(nn.Module):
    """Multi-head self-attention, (batch, token, channel) -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = _split(self.qkv(x))
        scores = torch.softmax(query @ key.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5, dim=-1)
        return self.proj((scores @ value).transpose(1, 2).flatten(2))


class TinyAttentionTwin(AttentionTwin):
    """The quantizable twin of :class:`TinyAttention`."""

    qkv: nn.Module
    proj: nn.Module

    def __init__(self, original: nn.Module) -> None:
        super().__init__(original, HEADS, WIDTH // HEADS)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        return {"qkv": ("out", HeadSplit(-2, HEADS, 3)), "proj": ("in", HeadSplit(-1, HEADS))}

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = _split(self.qkv(x))
        return self.proj(self.core(query, key, value, (WIDTH // HEADS) ** -0.5).transpose(1, 2).flatten(2))


def _split(qkv: Tensor) -> Tensor:
    batch, tokens, _ = qkv.shape
    return qkv.reshape(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)


class TinyBlock(nn.Module):
    """Attention and a two-layer perceptron, each with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(WIDTH), TinyAttention(), nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))


class TinyViT(nn.Module):
    """(batch, 3, 16, 16) -> (batch, 5); two blocks. Smaller pictures have fewer tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.position = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2, WIDTH) * 0.1)
        self.blocks = nn.Sequential(TinyBlock(), TinyBlock())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        tokens = tokens + self.position[:, :tokens.shape[1]]
        return self.head(self.norm(self.blocks(tokens)).mean(1))


#: What ``instrument(TinyViT(), TINY_ADAPTERS)`` needs.
TINY_ADAPTERS: Mapping[str, Adapter] = {f"{TinyAttention.__module__}.{TinyAttention.__qualname__}": TinyAttentionTwin}


def tiny_vit(seed: int = 0) -> TinyViT:
    """A model with random weights, the same for the same seed; some channels are outliers, as in real ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TinyViT()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.endswith("norm1.weight"):
                    weight[:2] *= 6
                if name.endswith("norm2.weight"):
                    weight[1:3] *= 4
    return model.eval()
