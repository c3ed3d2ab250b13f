"""The hinge ranking loss of attention maps, exact, in two forms that need no list of pairs.

``sum over rows k and pairs p < q of max(theta - (B_kp - B_kq) * sign(A_kp - A_kq), 0)`` with reference
``A`` and quantized ``B`` (Liu et al., NeurIPS 2021, eq. 10). Pairs that tie in the reference add the
constant ``theta`` and have no gradient; so has a pair exactly at the margin.

The *quadratic* form visits all pairs of a chunk of rows; through ``torch.compile`` (where a C++
compiler works) nothing of it is stored. The *sorted* form costs O(w log^2 w) for a row of length w
and needs no compiler.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum"]
Form = Literal["auto", "quadratic", "compiled", "sorted"]

#: Pairs that one chunk of rows may have: bounds the memory of the quadratic form.
_PAIRS_AT_ONCE = 1 << 20
#: Longest row for which the compiled quadratic form is the fastest, with and without gradient (CPU).
_LONG_ROW = 1024
#: Longest row for which the eager quadratic form beats the sorted one.
_SHORT_ROW = 64
#: Fewer pairs than this in a call are not worth a compilation.
_WORTH_COMPILING = 1 << 22

_log = logging.getLogger(__name__)


def hinge_ranking_loss(reference: Tensor, attention: Tensor, theta: float = 0.2, reduction: Reduction = "mean",
                       form: Form = "auto") -> Tensor:
    """How much the order within the rows of ``attention`` differs from that of ``reference``.

    Args:
        reference: the full-precision map, shape (..., w); gets no gradient.
        attention: the quantized map, same shape; differentiable.
        theta: margin of the hinge, >= 0.
        reduction: ``"sum"`` over rows and pairs (the paper), or ``"mean"`` over all of them.
        form: ``"quadratic"``, ``"compiled"`` or ``"sorted"``; ``"auto"`` takes the fastest
            (see :func:`choose_form`). All give the same value.

    Returns:
        A scalar >= 0, of the dtype of ``attention``; rows shorter than 2 have no pairs and give 0.

    Raises:
        ValueError: for shapes that differ and for a negative ``theta``.
    """
    if theta < 0:
        raise ValueError(f"theta must not be negative, got {theta}")
    if reference.shape != attention.shape:
        raise ValueError(f"reference {tuple(reference.shape)} and attention {tuple(attention.shape)} differ in shape")
    width = attention.shape[-1]
    rows = attention.numel() // max(width, 1)
    if width < 2 or rows == 0:
        return attention.sum() * 0
    chosen = choose_form(rows, width, attention.device) if form == "auto" else form
    total: Tensor = _HingeSum.apply(attention, reference.detach(), theta, chosen)
    return total / (rows * width * (width - 1) / 2) if reduction == "mean" else total


def choose_form(rows: int, width: int, device: torch.device | str = "cpu") -> Form:
    """The form that ``"auto"`` means for ``rows`` rows of length ``width``."""
    if width <= _SHORT_ROW:
        return "quadratic"
    if width <= _LONG_ROW and rows * width ** 2 >= _WORTH_COMPILING and _compiler_works(str(device)):
        return "compiled"
    return "sorted"


class _HingeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attention: Tensor, reference: Tensor, theta: float, form: Form) -> Tensor:
        width = attention.shape[-1]
        with_gradient = ctx.needs_input_grad[0]
        kernel = _KERNELS[form]
        total = torch.zeros((), dtype=torch.float64, device=attention.device)
        gradients = []
        rows_at_once = max(1, _PAIRS_AT_ONCE // width ** 2)
        for a, b in zip(reference.reshape(-1, width).split(rows_at_once),
                        attention.detach().reshape(-1, width).split(rows_at_once), strict=True):
            sums, gradient = kernel()(a, b, theta, with_gradient)
            total += sums.double().sum()
            gradients.append(gradient)
        if with_gradient:
            ctx.save_for_backward(torch.cat(gradients).reshape(attention.shape))
        return total.to(attention.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return outer[0] * gradient, None, None, None


def _quadratic(reference: Tensor, attention: Tensor, theta: float, with_gradient: bool
               ) -> tuple[Tensor, Tensor]:
    """Hinge sums and gradients of rows: (r, w) -> (r, w) shares of the sums, (r, w) gradients."""
    order = torch.sign(reference.unsqueeze(-1) - reference.unsqueeze(-2))
    hinge = theta - (attention.unsqueeze(-1) - attention.unsqueeze(-2)) * order
    # Each pair is met twice, and each position once with itself, where the hinge is theta.
    shares = (hinge.clamp(min=0).sum(-1) - theta) / 2
    gradient = -torch.where(hinge > 0, order, 0).sum(-1) if with_gradient else torch.empty_like(shares)
    return shares, gradient


def _sorted(reference: Tensor, attention: Tensor, theta: float, with_gradient: bool) -> tuple[Tensor, Tensor]:
    """The same by merging: in the reference's order, a pair p before q costs (theta + b_p - b_q)+.

    At level l, blocks of 2^l neighbours are halves of a merge: for q in the right half, the active p
    of the left half are those with b_p > b_q - theta, a suffix of the left half sorted by b.
    """
    rows, width = attention.shape
    # Ties of the reference are put in descending order of b, where every hinge is active
    # and the sum over the tied pairs has a closed form, which is taken off again.
    by_value = attention.argsort(dim=-1, descending=True)
    by_reference = reference.gather(-1, by_value).argsort(dim=-1, stable=True)
    order = by_value.gather(-1, by_reference)
    a, b = reference.gather(-1, order), attention.gather(-1, order)
    tied = _tie_coefficients(a).to(b.dtype)
    shares, slopes = -(tied * b), -tied
    levels = math.ceil(math.log2(width))
    # Padding stands last and at +inf: no pair with it is active.
    values = torch.nn.functional.pad(b, (0, 2 ** levels - width), value=math.inf)
    for level in range(levels):
        half = 2 ** level
        left, right = values.reshape(rows, -1, 2, half).unbind(2)
        left, right = left.contiguous(), right.contiguous()
        ascending = left.sort(dim=-1).values
        finite = torch.where(ascending.isinf(), 0, ascending)
        above = finite.flip(-1).cumsum(-1).flip(-1)
        above = torch.nn.functional.pad(above, (0, 1))
        first = torch.searchsorted(ascending, right - theta, right=True)
        active = (half - first).to(b.dtype)
        gained = active * (theta - right.where(right.isfinite(), 0)) + above.gather(-1, first)
        joined = torch.stack([torch.zeros_like(gained), gained], 2).reshape(rows, -1)[:, :width]
        shares = shares + joined
        if with_gradient:
            followers = torch.searchsorted(right.sort(dim=-1).values, left + theta).to(b.dtype)
            slopes = slopes + torch.stack([followers, -active], 2).reshape(rows, -1)[:, :width]
    return shares, torch.empty_like(b).scatter_(-1, order, slopes)


def _tie_coefficients(ordered: Tensor) -> Tensor:
    """(r, w) sorted rows -> ``g - 1 - 2 j`` at the j-th of g equal neighbours; 0 where there is no tie."""
    position = torch.arange(ordered.shape[-1], device=ordered.device).expand(ordered.shape)
    start = torch.searchsorted(ordered.contiguous(), ordered.contiguous())
    end = torch.searchsorted(ordered.contiguous(), ordered.contiguous(), right=True)
    return end - start - 1 - 2 * (position - start)


@cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    with warnings.catch_warnings():  # importing the compiler uses deprecated parts of torch itself
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.compile(_quadratic, dynamic=True)


@cache
def _compiler_works(device: str) -> bool:
    """Whether ``torch.compile`` works for ``device``, found out once by using it."""
    if device == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        _log.info("no C++ compiler: the ranking loss uses its sorted form")
        return False
    sample = torch.rand(4, 40, device=device)
    try:
        _compiled()(sample, sample, 0.2, False)
    except (RuntimeError, OSError, ImportError) as error:
        _log.warning("torch.compile fails (%s): the ranking loss uses its sorted form", type(error).__name__)
        return False
    return True


_KERNELS: dict[str, Callable[[], Callable[..., tuple[Tensor, Tensor]]]] = {
    "quadratic": lambda: _quadratic, "compiled": _compiled, "sorted": lambda: _sorted}
