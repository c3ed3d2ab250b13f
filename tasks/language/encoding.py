"""From rows of sentences to token ids, held compactly. Light: no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import DataError, digest

from .glue_tasks import GlueTask
from .tokenizer import read_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

_CHUNK = 4096  # Rows encoded at once: their objects are large, the arrays that are kept are not.


@dataclass(frozen=True)
class Encoded:
    """The tokens of many sentences or pairs.

    Attributes:
        tokens: ids of all rows behind one another, int32 (total,).
        ends: where each row's tokens end, int64 (rows,).
        firsts: how many of a row's tokens belong to the first sentence (token type 0), int32 (rows,).
        truncated: how many rows were longer than allowed.
    """

    tokens: np.ndarray
    ends: np.ndarray
    firsts: np.ndarray
    truncated: int = 0

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 (rows,)."""
        import numpy as np

        return np.diff(self.ends, prepend=0)

    def row(self, index: int) -> np.ndarray:
        """The token ids of one row."""
        return self.tokens[self.ends[index - 1] if index else 0:self.ends[index]]


class Encoding:
    """Encodes rows of one task: ``[CLS] first [SEP]``, or ``[CLS] first [SEP] second [SEP]``.

    What is longer than ``max_length`` tokens (the task's, if not given) loses tokens from the end of its longer
    sentence, one by one; an empty sentence has no tokens of its own.
    """

    def __init__(self, tokenizer: Tokenizer, task: GlueTask, max_length: int | None = None) -> None:
        self._task, self._tokenizer = task, tokenizer
        self.max_length = max_length or task.max_length
        tokenizer.enable_truncation(self.max_length, strategy="longest_first")

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens that there are."""
        return self._tokenizer.get_vocab_size()

    @property
    def identity(self) -> str:
        """Hash of everything that decides which tokens a row has; it does not tell in which file a vocabulary lay."""
        rules = json.loads(self._tokenizer.to_str())
        vocabulary = rules["model"].pop("vocab")
        return digest([f"rules {rules['model']} {rules['normalizer']} {rules['pre_tokenizer']}",
                       f"columns {self._task.columns} length {self.max_length}",
                       *(f"token {place} {token}" for token, place in vocabulary.items())])

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """The tokens of ``rows``, each a mapping with the task's sentence columns."""
        import numpy as np

        tokens, lengths, firsts, truncated = [np.empty(0, np.int32)], [], [], 0
        for start in range(0, len(rows), _CHUNK):
            texts = [tuple(row[column] or "" for column in self._task.columns) for row in rows[start:start + _CHUNK]]
            for found in self._tokenizer.encode_batch([pair if len(pair) > 1 else pair[0] for pair in texts]):
                tokens.append(np.array(found.ids, np.int32))
                lengths.append(len(found.ids))
                firsts.append(len(found.ids) - sum(found.type_ids))
                truncated += bool(found.overflowing)
        return Encoded(np.concatenate(tokens), np.cumsum(lengths, dtype=np.int64), np.array(firsts, np.int32),
                       truncated)


def checked_encoding(vocabulary: Path, task: GlueTask, rows: int | None, positions: int) -> Encoding:
    """The encoding of a checkpoint: at most ``positions`` tokens, word embedding of ``rows`` rows (``None``: any).

    Raises :class:`harness.DataError` where ``vocabulary`` (a folder or file) is not the one that it was trained with.
    """
    tokenizer = read_tokenizer(vocabulary)
    size = tokenizer.get_vocab_size()
    if rows not in (None, size):
        raise DataError(f"the vocabulary in {vocabulary} has {size:,} tokens, the model's word embedding {rows:,} rows",
                        "Give the vocabulary that the model was trained with")
    return Encoding(tokenizer, task, min(task.max_length, positions))
