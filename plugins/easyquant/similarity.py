"""Cosine similarity of a product for every candidate scale, without computing the product again.

With ``O = L R^T`` (full precision) and ``O' = L' R'^T`` (quantized), and ``R, R'`` fixed::

    <O, O'>  = sum (L P) * L',   P = R^T R'
    |O'|^2   = sum (L' M) * L',  M = R'^T R'

so the statistics of the other operand are two ``inner x inner`` Gram matrices, whatever its number of
rows (the tokens of the calibration set, when L is a weight).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .operand import Operand


def output_similarity(operand: Operand, other: Operand, factors: Tensor, weight: Tensor | None = None) -> Tensor:
    """``cos(O, O')`` of the part of the output that each independent slot of ``operand`` makes.

    ``factors``: multiples of the present scales, ``(candidates,)``. ``weight`` (groups,): what a group's
    output is multiplied with afterwards (a learned scale of each head). Returns ``(candidates, slots)``;
    nan for a slot whose full-precision output is 0.
    """
    full, right_full, right = operand.full(), other.full(), other.quantized()
    slots, count = operand.row_slots()
    projected = full @ (right_full.mT @ right)
    narrow = right.shape[1] < right.shape[2]  # |L' R'^T|^2 directly is then cheaper than by M
    gram = right.mT if narrow else right.mT @ right
    reference = _per_slot(((full @ (right_full.mT @ right_full)) * full), slots, count, weight)
    result = []
    for factor in factors.tolist():
        left = operand.quantized(factor)
        image = left @ gram
        dot = _per_slot(projected * left, slots, count, weight)
        norm = _per_slot(image.square_() if narrow else image.mul_(left), slots, count, weight)
        # An output of only zeros has similarity 0 with anything.
        result.append(dot / (reference * norm).sqrt().where(norm > 0, torch.ones_like(norm)))
    return torch.stack(result).where(reference > 0, torch.full_like(reference, torch.nan))


def _per_slot(values: Tensor, slots: Tensor, count: int, weight: Tensor | None) -> Tensor:
    rows = values.sum(-1, dtype=torch.float64)
    if weight is not None:
        rows = rows * weight.double().square()[:, None]
    return rows.new_zeros(count).index_add_(0, slots.reshape(-1), rows.reshape(-1))


@torch.no_grad()
def fit(operand: Operand, other: Operand, start: Tensor | None, factors: Tensor, weight: Tensor | None = None) -> bool:
    """Give the quantizer of ``operand`` the best of ``factors * start`` (scales, one a slot).

    Of equally good factors the one nearest to 1 is taken; so a slot without any output keeps ``start``, where 1
    is among the factors. Returns whether a scale changed.
    """
    if operand.quantizer is None or start is None:
        return False
    before = operand.quantizer.scale.clone()
    operand.quantizer.scale.copy_(start)
    similarity = output_similarity(operand, other, factors, weight).nan_to_num(-1)
    far = (factors - 1).abs()[:, None].where(similarity == similarity.amax(0), torch.inf)
    best = factors[far.argmin(0)].to(start)
    operand.quantizer.scale.mul_(best)
    return not torch.equal(before, operand.quantizer.scale)
