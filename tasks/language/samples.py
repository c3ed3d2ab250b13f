"""Sentences as a model takes them, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .encoding import Encoded
from .padding import padded
from .split import GlueSplit


@dataclass
class SentenceBatch:
    """Some samples, padded to the longest of them.

    Attributes:
        inputs: ``input_ids``, ``attention_mask``, ``token_type_ids``, int64 (batch, token).
        targets: labels, int64 (batch,); or scores, float32 (batch,).
        positions: the place of each sample among those asked for, int64 (batch,).
        parts: which of the task's validation splits each sample is from, int64 (batch,).
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    positions: Tensor
    parts: Tensor


class SentenceSamples:
    """The sentences of one or more splits, encoded.

    With ``by_length`` batches are made of samples of about the same length, the longest first (so that a batch that
    is too large for the memory fails at once), and say in ``positions`` which ones they hold.
    """

    def __init__(self, splits: Sequence[GlueSplit], encoded: Sequence[Encoded], scores: bool, by_length: bool) -> None:
        self.ids: Sequence[str] = [name for split in splits for name in split.ids]
        self._encoded = joined(encoded)
        self._targets = torch.tensor([label for split in splits for label in split.labels],
                                     dtype=torch.float32 if scores else torch.int64)
        self._parts = torch.tensor([part for part, split in enumerate(splits) for _ in split.rows])
        self._by_length = by_length

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sample, int64 (sample,)."""
        return self._encoded.lengths

    def batches(self, indices: Sequence[int], size: int) -> Iterator[SentenceBatch]:
        """See :class:`harness.Samples`; sorted by length, each sample once, where the samples are."""
        chosen = np.asarray(indices, dtype=np.int64)
        order = (np.argsort(-self.lengths[chosen], kind="stable") if self._by_length
                 else np.arange(len(chosen)))
        for start in range(0, len(order), size):
            yield self._batch(chosen, order[start:start + size])

    def one(self, index: int, length: int) -> dict[str, Tensor]:
        """The inputs of one sample, padded to ``length`` tokens."""
        return padded(self._encoded, [index], length)

    def _batch(self, chosen: np.ndarray, positions: np.ndarray) -> SentenceBatch:
        indices = chosen[positions].tolist()
        return SentenceBatch(padded(self._encoded, indices), self._targets[indices], torch.from_numpy(positions),
                             self._parts[indices])


def joined(parts: Sequence[Encoded]) -> Encoded:
    """The rows of several splits behind one another."""
    starts = np.cumsum([0, *(len(part.tokens) for part in parts)])
    return Encoded(np.concatenate([part.tokens for part in parts]),
                   np.concatenate([part.ends + start for part, start in zip(parts, starts, strict=False)]),
                   np.concatenate([part.firsts for part in parts]), sum(part.truncated for part in parts))
