"""From token ids to the tensors that a model takes: each batch padded to its own longest row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .encoding import Encoded


def padded(encoded: Encoded, indices: Sequence[int], length: int | None = None) -> dict[str, Tensor]:
    """The rows at ``indices`` as ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 (row, token).

    They are padded with zeros (BERT's ``[PAD]``) to ``length`` tokens, or to the longest of them.
    """
    rows = [torch.from_numpy(encoded.row(index)) for index in indices]
    width = length or max(len(row) for row in rows)
    place = torch.arange(width)
    lengths = torch.tensor([len(row) for row in rows])[:, None]
    firsts = torch.from_numpy(encoded.firsts[list(indices)])[:, None]
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    for target, row in zip(ids, rows, strict=True):
        target[:len(row)] = row
    return {"input_ids": ids, "attention_mask": (place < lengths).long(),
            "token_type_ids": ((place >= firsts) & (place < lengths)).long()}
