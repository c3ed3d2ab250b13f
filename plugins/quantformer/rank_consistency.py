"""Capacity-aware self-attention rank consistency: the loss of Eqs. (6) to (8)."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Generator, Tensor
from torch.nn import functional

from harness import Context, InstrumentedModel, Loss, OptionError, QuantizationError, Step

from .options import Norm, Objective, RankConsistencyOptions, Reduction

#: Stands for log 0: such an entry adds nothing to an entropy, and no power of it is above 0.
_LOG_OF_ZERO = -1e4
#: Random exponents are drawn from the constants of Table 4.
_RANDOM_RANGE = 1.0, 5.0
#: Exponents stay between these bounds, for maps without any entropy (one-hot rows).
_BOUNDS = 1e-3, 1e3


def entropy(attention: Tensor, logarithms: Tensor) -> Tensor:
    """``-sum A log A`` over the whole map, a scalar; ``logarithms`` as :func:`logarithms_of` gives them."""
    return -torch.dot(attention.flatten(), logarithms.flatten())


def logarithms_of(attention: Tensor) -> Tensor:
    """log A, finite where A is 0 (masked entries)."""
    return attention.log().clamp_(min=_LOG_OF_ZERO)


def exponent(teacher_entropy: Tensor, student_entropy: Tensor, form: Objective, k: float = 2.0,
             generator: Generator | None = None) -> Tensor:
    """The exponent p of one layer, a scalar. With ``C = E_q / E_r`` (student over teacher):

    ``entropy_ratio`` 1 / C, Eq. (8); ``other_entropy`` C; ``exp`` e^(1 / C); ``const`` k; ``random`` uniform in
    [1, 5]. The forms of the second and the third are damaged in the paper's Table 3: these are readings.
    """
    if form == "const":
        return teacher_entropy.new_tensor(k)
    if form == "random":
        low, high = _RANDOM_RANGE
        return teacher_entropy.new_tensor(low + (high - low) * float(torch.rand((), generator=generator)))
    ratio = teacher_entropy / student_entropy if form != "other_entropy" else student_entropy / teacher_entropy
    return (ratio.exp() if form == "exp" else ratio).nan_to_num(1.0).clamp(*_BOUNDS)


def layer_loss(teacher: Tensor, student: Tensor, form: Objective = "entropy_ratio", k: float = 2.0,
               norm: Norm = "row_sum", reduction: Reduction = "mean", generator: Generator | None = None) -> Tensor:
    """``sum |a_q - a_r^p / sum_j a_r,j^p|^2`` of one layer, Eq. (7), in O(h w).

    Args:
        teacher: full-precision attention A_r after the softmax, shape (..., rows, w); gets no gradient.
        student: attention A_q of the quantized model, same shape.
        form: see :func:`exponent`; p is a constant for the gradient.
        k: exponent of form ``const``.
        norm: ``row_sum``: each row of the power adds up to one, which is the teacher's softmax at temperature 1 / p;
            ``l2_flat``: both maps of a sample are divided by their length instead (official code).
        reduction: ``mean`` over elements, ``row_mean`` over rows of their sums, or ``sum``.
        generator: source of random exponents.

    Returns:
        A scalar >= 0; 0 where both maps agree (with p = 1).
    """
    with torch.no_grad():
        teacher, own = teacher.float(), student.float()
        logarithms = logarithms_of(teacher)
        p = exponent(entropy(teacher, logarithms), entropy(own, logarithms_of(own)), form, k, generator)
        powers = logarithms.mul_(p)
        target = torch.softmax(powers, -1) if norm == "row_sum" else _unit(powers.exp_())
    given = student.float() if norm == "row_sum" else _unit(student.float())
    if reduction == "mean":
        return functional.mse_loss(given, target)
    total = functional.mse_loss(given, target, reduction="sum")
    return total / math.prod(given.shape[:-1]) if reduction == "row_mean" else total


def _unit(attention: Tensor) -> Tensor:
    """Maps of each sample (first axis) divided by their Euclidean length."""
    return functional.normalize(attention.flatten(1)).reshape(attention.shape)


class RankConsistency(Loss[RankConsistencyOptions]):
    """:func:`layer_loss` of every attention map of the model, before its quantizer, added up over layers."""

    generator: Generator

    def prepare(self, context: Context) -> None:
        """Takes the run's generator, whose state snapshots keep. Raises :class:`harness.OptionError`."""
        self.generator = context.generator
        if not _attention_sites(context.model):
            raise OptionError("the loss src compares attention maps, and this model has none",
                              "Leave it out of METHOD.losses")

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        return () if self.options.p == "off" else _attention_sites(model)

    def forward(self, step: Step) -> Tensor:
        options, total = self.options, step.task_loss.new_zeros(())
        for path in self.watches(step.model):
            expected, given = step.teacher.sites[path], step.sites[path]
            if expected.shape != given.shape:
                raise QuantizationError(f"the teacher's attention at {path!r} is {tuple(expected.shape)}, the model's "
                                        f"{tuple(given.shape)}", "Use a teacher of the same architecture")
            total = total + layer_loss(expected, given, options.p, options.k, options.norm, options.reduction,
                                       self.generator)
        return total


def _attention_sites(model: InstrumentedModel) -> list[str]:
    return [path for path, site in model.sites.items() if site.operand == "attention"]
