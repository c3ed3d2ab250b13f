"""The ranking loss of quantized attention scores, on rows drawn once (eq. 10)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from harness import hinge_ranking_loss

from .options import RankingOptions
from .product import Product


class Ranking:
    """``gamma * L_rank`` of the scores of ``product`` for a pair of factors, remembered.

    ``rows`` of the options are drawn evenly over pictures and queries, all heads of each, so that neither time
    nor memory grows with the calibration set; 0 ranks every row, a batch at a time.
    """

    def __init__(self, product: Product, options: RankingOptions, generator: torch.Generator) -> None:
        self.product, self.options = product, options
        self._known: dict[tuple[float, float], float] = {}
        self._kept: list[tuple[Tensor, Tensor]] | None = None
        if options.rows:
            self._kept = [self._draw(generator)]

    def __call__(self, query_factor: float, key_factor: float) -> float:
        """``gamma * L_rank`` with the scales of both operands at these factors."""
        factors = query_factor, key_factor
        if factors not in self._known:
            loss, rows = 0.0, 0
            for query, key in self._kept if self._kept is not None else self._all():
                maps = self._map(query, key)
                quantized = self._map(self.product.operands["query"].quantized(query, query_factor),
                                      self.product.operands["key"].quantized(key, key_factor))
                count = maps[..., 0].numel()
                loss += count * float(hinge_ranking_loss(maps, quantized, self.options.theta))
                rows += count
            self._known[factors] = self.options.gamma * self._per_map * loss / rows
        return self._known[factors]

    def _map(self, query: Tensor, key: Tensor) -> Tensor:
        scores = (query * self.product.scale) @ key.mT
        return torch.softmax(scores, dim=-1) if self.options.on == "softmax" else scores

    @property
    def _per_map(self) -> float:
        """What turns the mean over pairs into the chosen reduction over one map."""
        if self.options.reduction == "mean":
            return 1.0
        query, key = next(self.product.inputs())[:2]
        return query.shape[-2] * key.shape[-2] * (key.shape[-2] - 1) / 2

    def _all(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chunk in self.product.inputs():
            yield chunk[0], chunk[1]

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        shapes = [query.shape for query, _ in self._all()]
        (heads, tokens), pictures = shapes[0][-3:-1], sum(shape[0] for shape in shapes)
        wanted = min(math.ceil(self.options.rows / heads), pictures * tokens)
        chosen = torch.randperm(pictures * tokens, generator=generator)[:wanted].sort().values
        queries, keys, first = [], [], 0
        for query, key in self._all():
            here = chosen[(chosen >= first * tokens) & (chosen < (first + len(query)) * tokens)] - first * tokens
            here = here.to(query.device)
            queries.append(query[here // tokens, :, here % tokens].unsqueeze(-2))
            keys.append(key[here // tokens])
            first += len(query)
        return torch.cat(queries), torch.cat(keys)
