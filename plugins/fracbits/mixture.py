"""The quantizer of a real bit-width, and the distance of the cost from its target."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness import BitMixture, BitSpace, Loss, LossOptions, Quantizer, Step, expected_bits


class FractionalBits(BitMixture):
    """``(lambda - floor) Q_ceil + (ceil - lambda) Q_floor`` with the candidates next to a trained ``lambda``.

    ``lambda`` is kept between the smallest and the largest candidate; at a candidate, the next larger one is its
    neighbour (the next smaller one at the largest), so that its gradient never vanishes.
    """

    def __init__(self, quantizers: Mapping[int, Quantizer], start: float) -> None:
        super().__init__(quantizers)
        self.bits = nn.Parameter(torch.tensor(float(start)))
        self._keep_inside()

    def shares(self) -> dict[int, Tensor]:
        self._keep_inside()
        below = sum(bits <= float(self.bits.detach()) for bits in self.candidates[1:-1])
        floor, ceil = self.candidates[below:below + 2]
        upper = (self.bits - floor) / (ceil - floor)
        return {below: 1 - upper, below + 1: upper}

    def _keep_inside(self) -> None:
        # A projection through .data: a clamp in the graph would stop the gradient that could lead back.
        self.bits.data.clamp_(self.candidates[0], self.candidates[-1])


class CostDistance(Loss[LossOptions]):
    """``|cost - target| / target`` with ``cost = sum over products of MACs x lambda x lambda``."""

    def __init__(self, space: BitSpace, weight: float) -> None:
        super().__init__(LossOptions(weight=weight))
        self._space, self._target = space, space.limit()

    def forward(self, step: Step) -> Tensor:
        distance: Tensor = (self._space.total(expected_bits(step.model)) / self._target - 1).abs()
        return distance
