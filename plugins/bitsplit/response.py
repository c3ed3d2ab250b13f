"""Bit planes of least output error: ``ofwa_rr``, response reconstruction.

For each output row the objective is ``|Y - X (alpha q)|^2 = yy - 2 alpha <c, q> + alpha^2 q A q`` with
``A = X^T X`` and ``c = X^T Y``, so these Gram matrices are all that is needed of the data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .planes import plane_weights, stitch
from .slots import Rows

#: Columns whose effect on later columns is applied at once, by a matrix product.
_BLOCK = 64


def response_statistics(inputs: Tensor, reference: Tensor, weight: Tensor, damping: float) -> tuple[Tensor, Tensor]:
    """``A = X^T X`` and ``c^T = Y^T X`` of inputs X and the full-precision outputs ``Y = reference weight^T``.

    ``inputs``, ``reference``: ``(groups, rows, inner)``; ``weight``: ``(groups, out, inner)``. ``damping`` adds the
    weight's own error, ``damping * mean(diag A) * |w - alpha q|^2``, to the objective: few samples say little
    about most directions of the input, and the integers would be fitted to what they happen to say.
    """
    gram, cross = inputs.mT @ inputs, (reference @ weight.mT).mT @ inputs
    amount = damping * gram.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    return gram + amount * torch.eye(gram.shape[-1]).to(gram), cross + amount * weight


def ofwa_rr(gram: Tensor, cross: Tensor, planes: Tensor, alpha: Tensor, rows: Rows, epochs: int = 100,
            settled: float = 0.0) -> tuple[Tensor, Tensor]:
    """Planes and alpha of least output error, by coordinate descent; never worse than the start.

    ``gram``: A, ``(groups, inner, inner)``; ``cross``: ``c^T``, ``(groups, out, inner)``; ``planes``:
    ``(planes, groups * out, inner)``. Alternates the closed form of alpha with each plane, column by
    column: with the gradient ``g`` of the column's own term, ``B = sign(g)`` where
    ``|g| >= alpha 2^(-m) A_nn / 2``, else 0. A column without any input (``A_nn = 0``) keeps its bits.
    Ends when no more than a fraction ``settled`` of the bits changed in an epoch.
    """
    groups, out, inner = cross.shape
    # Columns first: the descent then works on contiguous memory.
    targets = cross.mT.contiguous()
    ternary = planes.reshape(len(planes), groups, out, inner).mT.clone(memory_format=torch.contiguous_format)
    for _ in range(epochs):
        stitched = stitch(ternary)
        response = gram @ stitched
        alpha = rows.least_squares((targets * stitched).mT.flatten(0, 1), (response * stitched).mT.flatten(0, 1), alpha)
        spread = rows.spread(alpha).reshape(groups, 1, out)
        residual = targets - spread * response
        changed = 0
        for m, size in enumerate(plane_weights(ternary).tolist()):
            frozen = ~rows.has_plane(m).reshape(groups, 1, out)
            changed += _descend(ternary[m], residual, gram, spread * size, frozen)
        if changed <= settled * ternary.numel():
            break
    return ternary.mT.flatten(1, 2), alpha


def _descend(plane: Tensor, residual: Tensor, gram: Tensor, size: Tensor, frozen: Tensor) -> int:
    """One sweep over the columns of a plane, in place; returns how many bits changed.

    ``plane``, ``residual`` (``c - alpha A q``): ``(groups, inner, out)``; ``size``: ``alpha 2^(-m)``, ``(groups,
    1, out)``. The residual is kept up to date: at once inside a block of columns, for the columns of
    other blocks once the block is done.
    """
    own = size * gram.diagonal(dim1=-2, dim2=-1)[..., None]
    own = own.masked_fill((own <= 0) | frozen, torch.inf)  # nothing outweighs it: the bit stays
    before = plane.clone()
    for start in range(0, plane.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        local, inside, deltas = residual[:, block].clone(), gram[:, block, block], torch.empty_like(plane[:, block])
        for n in range(local.shape[1]):
            old = plane[:, start + n]
            # |g| >= own / 2 with g = local + own * old, as rounding to -1, 0, 1.
            new = (local[:, n] / own[:, start + n]).add_(old).round_().clamp_(-1, 1)
            delta = torch.mul(new - old, size[:, 0], out=deltas[:, n])
            local.baddbmm_(inside[:, :, n, None], delta[:, None], alpha=-1)
            old.copy_(new)
        residual.baddbmm_(gram[:, :, block], deltas, alpha=-1)
    return int((plane != before).sum())
