"""The ranking loss of quantized attention scores, on rows drawn once (eq. 10)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from harness import hinge_ranking_loss

from .inputs import small_entries
from .options import RankingOptions
from .product import Product


class Ranking:
    """``gamma * L_rank`` of the scores of ``product`` for a pair of factors, remembered.

    ``rows`` of the options are drawn evenly over pictures and queries, all heads of each, so that neither time
    nor memory grows with the calibration set; 0 ranks every row that was kept, a block at a time. Rows may
    differ in length from picture to picture.
    """

    def __init__(self, product: Product, options: RankingOptions, generator: torch.Generator) -> None:
        self.product, self.options = product, options
        self._known: dict[tuple[float, float], float] = {}
        self._kept = self._draw(generator) if options.rows else None

    def __call__(self, query_factor: float, key_factor: float) -> float:
        """``gamma * L_rank`` with the scales of both operands at these factors."""
        factors = query_factor, key_factor
        if factors not in self._known:
            loss, rows = 0.0, 0
            for query, key in self._all() if self._kept is None else self._kept:
                maps = self._map(query, key)
                quantized = self._map(self.product.operands["query"].quantized(query, query_factor),
                                      self.product.operands["key"].quantized(key, key_factor))
                count = maps[..., 0].numel()
                loss += (count * self._per_row(maps.shape[-1])
                         * float(hinge_ranking_loss(maps, quantized, self.options.theta)))
                rows += count
            self._known[factors] = self.options.gamma * loss / rows
        return self._known[factors]

    def _map(self, query: Tensor, key: Tensor) -> Tensor:
        scores = (query * self.product.scale) @ key.mT
        return torch.softmax(scores, dim=-1) if self.options.on == "softmax" else scores

    def _per_row(self, width: int) -> float:
        """What turns the mean over the pairs of a row into the chosen reduction over a map of such rows."""
        if self.options.reduction == "mean":
            return 1.0
        return self.product.inputs.rows_of_entry * width * (width - 1) / 2

    def _all(self) -> Iterator[tuple[Tensor, ...]]:
        return self.product.inputs.blocks(small_entries)

    def _draw(self, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        shapes = [query.shape for query, _ in self._all()]
        ends = torch.tensor([shape[0] * shape[-2] for shape in shapes]).cumsum(0)
        wanted = min(math.ceil(self.options.rows / shapes[0][-3]), int(ends[-1]))
        chosen = torch.randperm(int(ends[-1]), generator=generator)[:wanted].sort().values
        rows: dict[tuple[torch.Size, torch.Size], list[tuple[Tensor, Tensor]]] = {}
        for (query, key), end in zip(self._all(), ends.tolist(), strict=True):
            tokens = query.shape[-2]
            first = end - len(query) * tokens
            here = (chosen[(chosen >= first) & (chosen < end)] - first).to(query.device)
            if len(here):
                pair = query[here // tokens, :, here % tokens].unsqueeze(-2), key[here // tokens]
                rows.setdefault((pair[0].shape[1:], pair[1].shape[1:]), []).append(pair)
        return [(torch.cat(queries), torch.cat(keys))
                for queries, keys in (zip(*pairs, strict=True) for pairs in rows.values())]
