"""The search of the assignment: which quantizers take part, how it begins and ends, and its regulariser."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from harness import Context, InstrumentedModel, Loss, LossOptions, Site, Step

from .groups import GroupedRange

#: Roles of the linear layers of transformer blocks; their inputs are quantized in groups.
BLOCK_ROLES = ("qkv", "query", "key", "value", "proj", "fc1", "fc2")


def in_block(site: Site) -> bool:
    """Whether it is the weight or the input of a linear layer of a transformer block."""
    return site.role in BLOCK_ROLES and site.operand in ("weight", "input")


def grouped(model: InstrumentedModel) -> dict[str, GroupedRange]:
    """Site path -> quantizer, for the inputs that have groups of channels."""
    return {path: quantizer for path, quantizer in model.quantizers.items()
            if isinstance(quantizer, GroupedRange) and in_block(model.sites[path])}


def divide(context: Context, groups: int, soft: bool, images: int) -> None:
    """Make groups from the ranges of the channels in the model as it is now, quantizers on.

    ``groups``, ``soft``: see :meth:`GroupedRange.divide`. One forward of ``images`` calibration pictures; the result
    follows from the model's parameters and buffers, so that a resumed run does the same again.
    """
    waiting = grouped(context.model)

    def start(path: str, tensor: Tensor) -> None:
        if path in waiting:  # a site may be reached more than once in a forward
            quantizer = waiting.pop(path)
            quantizer.divide(quantizer.channel_ranges(tensor), groups, soft)

    count = min(images, len(context.calibration))
    context.calibration.observe(context.model, batch_size=count, indices=range(count),
                                sites={path: partial(start, path) for path in waiting})


class AssignmentEntropy(Loss[LossOptions]):
    """``sum over layers of (1 / (G C)) sum -pi log pi``: 0 for one group a channel (official code)."""

    def forward(self, step: Step) -> Tensor:
        entropies = [torch.special.entr(quantizer.shares).mean() for quantizer in grouped(step.model).values()
                     if quantizer.assignment is not None]
        return torch.stack(entropies).sum() if entropies else step.task_loss.new_zeros(())
