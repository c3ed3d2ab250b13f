"""Which operations the calibration set reaches at all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ..model.instrument import InstrumentedModel
from ..quantizers.base import Identity
from .calibration import Calibration


@torch.no_grad()
def drop_unreached(model: InstrumentedModel, calibration: Calibration) -> list[str]:
    """Take the quantizers off operations that no calibration sample reaches; their paths.

    A detector that finds nothing in a few pictures never calls its mask head. No method could set a range
    there, so for every method alike such an operation stays in full precision, and coverage says so.
    Runs the set in full precision, as far as it takes to see every operation once.
    """
    waiting = {site.operation for path, site in model.sites.items()
               if not isinstance(model.quantizer(path), Identity)}
    with ExitStack() as stack:
        stack.enter_context(model.full_precision())
        for path in waiting:
            def reached(_: nn.Module, inputs: tuple[Any, ...], path: str = path) -> None:
                if all(tensor.numel() for tensor in inputs if isinstance(tensor, Tensor)):  # some regions at least
                    waiting.discard(path)
            stack.callback(model.operation(path).register_forward_pre_hook(reached).remove)
        for inputs in calibration.batches():
            if not waiting:
                break
            calibration.forward(model, inputs)
    for path, site in model.sites.items():
        if site.operation in waiting:
            model.place(path, Identity())
    return sorted(waiting)
