"""Outlier channel splitting itself: which channels are duplicated, and what each copy holds.

An expanded layer with input channels ``x[index]`` and weight columns ``W'`` computes ``sum_k W'_k x_index[k]``. Copies
of one source see the same input, so this equals a plain layer whose column ``j`` is the sum of the copies of ``j``
(weights split), or whose input ``j`` is that sum (activations split). Splitting is therefore a matter of operands.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .options import Split


@dataclass(frozen=True)
class SplitTable:
    """The channels of an expanded operand: first the ``I`` that there were, then ``n`` new ones.

    ``axis``: where the channels lie (negative). ``source``: int64 ``(n,)``, the original channel of each new one.
    Channel ``k`` holds ``gain * value + offset * step``: ``gain`` 1 or 1/2, 1/4, ... (0 where an entry was left whole
    in the other copy), ``offset`` in steps of the quantizer. Both broadcast against the expanded operand and have its
    ``I + n`` channels along ``axis``.
    """

    axis: int
    source: Tensor
    gain: Tensor
    offset: Tensor

    @property
    def channels(self) -> int:
        """Number of channels before the expansion, I."""
        return self.gain.shape[self.axis] - len(self.source)

    @property
    def expansion(self) -> float:
        """``(I + n) / I``."""
        return self.gain.shape[self.axis] / self.channels

    @property
    def index(self) -> Tensor:
        """The channel of the plain operand that each channel of the expanded one comes from, int64 ``(I + n,)``."""
        return torch.cat((torch.arange(self.channels, device=self.source.device), self.source))

    def expand(self, tensor: Tensor, step: Tensor | float = 0.0) -> Tensor:
        """The expanded operand, I + n channels along ``axis``; ``step`` 0 leaves the offsets out."""
        copies = torch.cat((tensor, tensor.index_select(self.axis, self.source)), self.axis)
        return copies * self.gain + self.offset * step

    def merge(self, copies: Tensor) -> Tensor:
        """The effective operand of the plain layer: the sum of all copies of each channel."""
        own, new = copies.split([self.channels, len(self.source)], self.axis)
        return own.index_add(self.axis, self.source, new)


def split_weight(weight: Tensor, axis: int, splits: int, mode: Split, step: float = 0.0, partial: float = 0.0
                 ) -> SplitTable:
    """Algorithm of the official code: ``splits`` times, halve the channel with the largest absolute weight.

    ``weight``: any shape, input channels along ``axis`` (negative). The copies that a split makes may be split again.
    ``qa`` puts halves at ``u/2 - 1/4`` and ``u/2 + 1/4`` in units of ``step``, ``naive`` both at ``u/2``. With
    ``partial`` (tau), weights up to tau times the largest of their channel stay whole in the first copy and are 0 in
    the second.
    """
    columns = weight.movedim(axis, 0).flatten(1)
    channels, total = len(columns), len(columns) + splits
    source = torch.arange(total, device=weight.device)
    # Without tau all entries of a channel are split alike: one gain is enough. (The official code leaves zeros
    # whole; the halves of 0 give 0 too.)
    entries = columns.shape[1] if partial else 1
    gain, offset = columns.new_ones(total, entries), columns.new_zeros(total, entries)
    values = torch.cat((columns, columns.new_zeros(splits, columns.shape[1])))
    peaks = values.abs().amax(1)
    quarter = 0.25 if mode == "qa" else 0.0
    for new in range(channels, total):
        old = int(peaks[:new].argmax())
        halved = values[old].abs() > partial * peaks[old] if partial else torch.ones_like(gain[old], dtype=torch.bool)
        source[new] = source[old]
        gain[new], offset[new] = gain[old] / 2 * halved, (offset[old] / 2 + quarter) * halved
        gain[old] = torch.where(halved, gain[old] / 2, gain[old])
        offset[old] = torch.where(halved, offset[old] / 2 - quarter, offset[old])
        for copy in (old, new):
            values[copy] = columns[source[copy]] * gain[copy] + offset[copy] * step
            peaks[copy] = values[copy].abs().amax()
    moved = weight.movedim(axis, 0).shape[1:] if partial else [1] * (weight.dim() - 1)
    return SplitTable(axis, source[channels:], gain.reshape(total, *moved).movedim(0, axis),
                      offset.reshape(total, *moved).movedim(0, axis))


def split_channels(channels: int, chosen: Tensor, axis: int, mode: Split) -> SplitTable:
    """Each of the ``chosen`` activation channels (int64, distinct) halved once.

    ``axis``: where the ``channels`` lie (negative). The offsets of ``qa`` are a quarter of a step, as for weights.
    """
    quarter = 0.25 if mode == "qa" else 0.0
    gain, offset = torch.ones(channels, device=chosen.device), torch.zeros(channels, device=chosen.device)
    gain[chosen], offset[chosen] = 0.5, -quarter
    shape = [-1] + [1] * (-axis - 1)
    return SplitTable(axis, chosen, torch.cat((gain, torch.full_like(chosen, 0.5, dtype=gain.dtype))).reshape(shape),
                      torch.cat((offset, torch.full_like(chosen, quarter, dtype=gain.dtype))).reshape(shape))
