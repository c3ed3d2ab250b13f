"""The shared core of every attention class, and the base of the adapters' twins."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .operations import QuantizableMatMul, QuantizableScores, share_tensors
from .site import HeadSplit


class QuantizableAttention(nn.Module):
    """``softmax(scale * q k^T + bias) v``, opened up so that each product's operands have a site.

    Sites: ``query`` and ``key`` (batch, head, token, dim), ``attention`` (batch, head, query, key)
    after the softmax, ``value`` (batch, head, token, dim).
    """

    def __init__(self, heads: int, dim: int, dropout: nn.Module | None = None) -> None:
        super().__init__()
        self.heads, self.dim = heads, dim
        self.scores = QuantizableScores()
        self.values = QuantizableMatMul("attention", "value")
        self.dropout = dropout if dropout is not None else nn.Identity()

    def weights(self, query: Tensor, key: Tensor, scale: float | Tensor, bias: Tensor | None = None) -> Tensor:
        """The attention map before its quantizer: (batch, head, n, d), (batch, head, m, d) -> (batch, head, n, m).

        ``bias`` (position bias, mask) is added to the scores and broadcasts against them.
        """
        scores = self.scores(query, key, scale)
        if bias is not None:
            scores = scores + bias
        return self.dropout(torch.softmax(scores, dim=-1))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, scale: float | Tensor,
                bias: Tensor | None = None) -> Tensor:
        """(batch, head, n, d), 2 x (batch, head, m, d) -> (batch, head, n, d); ``bias`` as in :meth:`weights`."""
        return self.values(self.weights(query, key, scale, bias), value)


class AttentionTwin(nn.Module):
    """Base of the twins that adapters make: the original's children, and a shared ``core``.

    A subclass writes ``forward`` (how this class makes q, k, v and uses the result) and
    :meth:`projections` (which of its linear layers are made of heads, and along which side).
    """

    def __init__(self, original: nn.Module, heads: int, dim: int, dropout: nn.Module | None = None) -> None:
        super().__init__()
        self.__dict__["original"] = original
        for name, child in original.named_children():
            self.add_module(name, child)
        share_tensors(original, self)
        self.core = QuantizableAttention(heads, dim, dropout)
        self.train(original.training)

    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        """Name -> (side, split): side ``"out"`` for q, k, v projections, ``"in"`` for the output.

        Names are relative to this module; one of the module around it begins with ``../`` (``"../output.dense"``).
        """
        return {}

    def restored(self) -> nn.Module:
        """The original module, with this twin's present children, parameters and buffers."""
        original: nn.Module = self.__dict__["original"]
        for name, _ in list(original.named_children()):
            setattr(original, name, getattr(self, name))
        share_tensors(self, original)
        return original.train(self.training)
