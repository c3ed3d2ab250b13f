"""The mixture of EdMIPS, and its penalty."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness import BitMixture, BitSpace, Loss, LossOptions, Quantizer, Step, expected_bits


class SoftmaxMixture(BitMixture):
    """Shares ``softmax(alpha)``; ``alpha``: one logit for each candidate."""

    def __init__(self, quantizers: Mapping[int, Quantizer], start: float) -> None:
        super().__init__(quantizers)
        self.alpha = nn.Parameter(torch.full((len(quantizers),), start))

    def shares(self) -> dict[int, Tensor]:
        return dict(enumerate(self.alpha.softmax(0).unbind()))


class Complexity(Loss[LossOptions]):
    """``sum over products of MACs x E[bits] x E[bits]``, relative to the same sum at the run's bits."""

    def __init__(self, space: BitSpace, weight: float) -> None:
        super().__init__(LossOptions(weight=weight))
        self._space, self._unit = space, space.total({})

    def forward(self, step: Step) -> Tensor:
        complexity: Tensor = self._space.total(expected_bits(step.model)) / self._unit
        return complexity
