"""What is kept of a teacher's answer to a view, and what it is taken for (Shen & Xing 2021; eq. 9)."""

from __future__ import annotations

from torch import Tensor

from .options import LabelType

#: Classes whose probabilities marginal smoothing keeps.
TOP = 5


def encode(probabilities: Tensor, label_type: LabelType) -> tuple[Tensor, Tensor]:
    """Class probabilities (batch, C) as what is stored: probabilities in half precision and their classes.

    Both (batch, k), k = 5 or, for ``full``, C, in descending order of probability.
    """
    kept, order = probabilities.topk(label_count(probabilities.shape[1], label_type), dim=1)
    return kept.half(), order


def decode(kept: Tensor, order: Tensor, classes: int) -> Tensor:
    """The class probabilities (batch, C), float32, that stored labels stand for; each row sums to 1.

    What the kept ones leave of 1 is spread evenly over the other classes. Rounding is divided out.
    """
    kept = kept.float()
    others = classes - kept.shape[1]
    rest = (1 - kept.sum(1, keepdim=True)).clamp(min=0) / others if others else kept.new_zeros(len(kept), 1)
    labels = rest.expand(-1, classes).scatter(1, order.long(), kept)
    return labels / labels.sum(1, keepdim=True)


def label_count(classes: int, label_type: LabelType) -> int:
    """How many of a view's probabilities are stored."""
    return classes if label_type == "full" else min(TOP, classes)
