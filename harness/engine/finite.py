"""NaN is no answer: a run that makes it fails, with the name of who made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import QuantizationError
from ..method import Scores
from ..model.instrument import InstrumentedModel

_MEND = "Look for a division by zero, a scale of 0 or a training that diverged; harness check shows it on a tiny model"


@torch.no_grad()
def refuse_nan(model: InstrumentedModel, forward: Callable[[nn.Module], object], source: str) -> None:
    """Raise :class:`harness.QuantizationError` where an operation makes NaN of one sample's numbers.

    One forward before the evaluation: a detector throws boxes of NaN away, and then it has only found nothing.
    """
    def look(path: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if has_nan(output):
            raise QuantizationError(f"NaN comes out of {path!r}, from {source}", _MEND)

    with ExitStack() as stack:
        for path, operation in model.operations.items():
            stack.callback(operation.register_forward_hook(partial(look, path)).remove)
        forward(model)


def refuse_nan_outputs(outputs: Any, source: str) -> None:
    """Raise :class:`harness.QuantizationError` for a tensor with NaN among a model's answers."""
    if has_nan(outputs):
        raise QuantizationError(f"the model's outputs are NaN, from {source}", _MEND)


def refuse_nan_scores(scores: Scores, source: str) -> None:
    """Raise :class:`harness.QuantizationError` for a metric that is no finite number."""
    for name, value in scores.metrics.items():
        if not math.isfinite(value):
            raise QuantizationError(f"the metric {name} is {value}, from {source}", _MEND)


def has_nan(outputs: Any) -> bool:
    """Whether a tensor in ``outputs`` (itself, or in mappings and lists) has NaN."""
    if isinstance(outputs, Tensor):
        return outputs.is_floating_point() and bool(outputs.isnan().any())
    if isinstance(outputs, Mapping):
        return any(map(has_nan, outputs.values()))
    return isinstance(outputs, list | tuple) and any(map(has_nan, outputs))
