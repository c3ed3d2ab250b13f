"""What the agent sees of a site: ten numbers, min-max normalised over all sites."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harness import BitSpace, Operand, Operation

_KINDS = ("conv", "conv_transpose", "linear", "scores", "values")
LAST_BITS = 8
"""The column that the search fills in: the bits that the agent gave the site before."""


def site_states(space: BitSpace) -> Tensor:
    """(sites, 10), in [0, 1]: kind, input channels, output channels, stride, kernel size, weights, input elements,
    index, last bits (0 here), weight or activation. A column that is the same for all sites is 0.

    A product of attention has the summed axis as its input channels, and no weights.
    """
    rows = [[*_features(space, operation, operand)] for operation in space.operations
            for operand in operation.operands if operand.site in space.sites]
    states = torch.tensor([[*row[:7], index, 0.0, row[7]] for index, row in enumerate(rows)], dtype=torch.float64)
    least, most = states.amin(0), states.amax(0)
    spread = torch.where(most > least, most - least, torch.ones_like(most))
    return ((states - least) / spread).float()


def _features(space: BitSpace, operation: Operation, operand: Operand) -> Sequence[float]:
    operands = {each.operand: each for each in operation.operands}
    columns = operation.outputs / operation.rows
    kernel, stride, weights = 1, 1, 0
    if "weight" in operands:
        weight = space.base.model.operation(operation.path).get_parameter("weight")
        weights = weight.numel()
        kernel = weight.shape[-1] if weight.dim() == 4 else 1
    activation = next(each for each in operation.operands if each.operand != "weight")
    if operation.kind == "conv":
        channels = space.base.model.sites[activation.site].layout.channels or 1
        stride = max(1, round(math.sqrt(activation.elements / channels / operation.rows)))
    return (_KINDS.index(operation.kind), operation.inner / kernel**2, columns, stride, kernel, weights,
            activation.elements, float(operand.operand == "weight"))
