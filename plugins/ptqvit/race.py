"""Comparing candidates block by block, and dropping those that are out of the race.

Blocks are random samples of the calibration set, so the loss of a candidate, minus that of the leader on the
same block, has a small spread. A candidate whose mean difference is many standard errors above 0 is very
unlikely to win on the whole set (a test, not a proof); the others are measured on everything, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from .similarity import Measure, Sums

#: Fewer blocks say nothing about the spread.
_BLOCKS = 8


def race(blocks: Iterable[Measure], factors: Sequence[float], loss: Callable[[Sums], Tensor],
         handicap: Callable[[int], float], errors: float) -> tuple[list[int], Sums]:
    """Indices of the candidates that were measured on all blocks, and their sums.

    Args:
        blocks: the calibration set, in blocks drawn at random.
        factors: the candidates.
        loss: of each candidate in some sums.
        handicap: what is added to the loss of candidate ``i``; asked for when the first are dropped.
        errors: standard errors above the leader at which a candidate is dropped; 0 keeps all.
    """
    running = list(range(len(factors)))
    total: Sums | None = None
    seen: list[Tensor] = []
    for count, measure in enumerate(blocks, start=1):
        sums = measure([factors[index] for index in running])
        total = sums if total is None else total + sums
        if not errors:
            continue
        seen.append(loss(sums))
        if count < _BLOCKS or len(running) == 1:
            continue
        each = torch.stack(seen) + torch.tensor([handicap(index) for index in running], dtype=torch.float64,
                                                  device=seen[0].device)
        behind = each - each[:, each.mean(0).argmin(), None]
        keep = behind.mean(0) <= errors * behind.std(0) / count ** 0.5
        kept = keep.nonzero().flatten()
        if len(kept) < len(running):
            running, total = [running[index] for index in kept.tolist()], total.of(kept)
            seen = [losses[kept] for losses in seen]
    if total is None:
        raise ValueError("no blocks: the calibration set is empty")
    return running, total
