"""Which axes of an activation number its instances."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from harness import Context

from .instance_minmax import InstanceMinMax
from .quantizer import InstanceGroups


def find_instances(context: Context) -> set[str]:
    """Set the leading axes of every quantizer of channels; the sites whose instances have a single token.

    One forward of one sample: there the batch axis has size 1, wherever it lies (DETR stacks the answers of
    its decoder layers before it).
    """
    dynamic = {path: quantizer for path, quantizer in context.model.quantizers.items()
               if isinstance(quantizer, InstanceGroups | InstanceMinMax) and quantizer.axis == "channels"}
    shapes: dict[str, torch.Size] = {}
    with context.model.full_precision():
        context.calibration.observe(context.model, batch_size=1, indices=[0], sites={
            path: partial(_keep_shape, shapes, path) for path in dynamic})
    for path, shape in shapes.items():
        dynamic[path].leading = leading_axes(shape)
    return {path for path, shape in shapes.items() if len(shape) == 2}


def _keep_shape(shapes: dict[str, torch.Size], path: str, tensor: Tensor) -> None:
    shapes[path] = tensor.shape


def leading_axes(shape: torch.Size) -> int:
    """How many leading axes number instances, from the shape that one sample has.

    All up to the batch axis, which is the last of size 1 before those of tokens and channels; the first axis
    where there is none (windows and regions are entries of the batch).
    """
    ones = [axis for axis in range(len(shape) - 2) if shape[axis] == 1]
    return (ones[-1] if ones else 0) + 1
