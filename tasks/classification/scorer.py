"""Top-1 and top-5 accuracy."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import Batch, DataError, QuantizationError, Scores


class AccuracyScorer:
    """Accumulates accuracies in percent, and whether each sample's top-1 answer was right."""

    def __init__(self) -> None:
        self._ranks: list[Tensor] = []

    def update(self, outputs: Tensor, batch: Batch) -> None:
        """Take the logits (batch, classes). Raises :class:`QuantizationError` for NaN: it has no rank.

        Classes of equal logits rank by index, so that a model whose logits collapse (few bits) has
        the same score on every device.
        """
        if outputs.isnan().any():
            raise QuantizationError("the model's outputs are NaN", "A quantizer of this run makes NaN; see its method")
        targets = batch.targets.to(outputs.device)[:, None]
        wanted = outputs.gather(1, targets)
        earlier = torch.arange(outputs.shape[1], device=outputs.device) < targets
        self._ranks.append(((outputs > wanted) | ((outputs == wanted) & earlier)).sum(1).cpu())

    def result(self) -> Scores:
        """``top1`` and ``top5`` in percent; ``per_sample`` is 1 where top-1 was right."""
        if not self._ranks:
            raise DataError("no sample was evaluated", "Use a limit of at least 1")
        ranks = torch.cat(self._ranks)
        metrics = {f"top{k}": 100.0 * int((ranks < k).sum()) / len(ranks) for k in (1, 5)}
        return Scores(metrics, tuple((ranks == 0).float().tolist()))
