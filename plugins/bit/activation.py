"""GELU out, ReLU in: what a student with unsigned binary activations computes with (BiT, official code)."""

from __future__ import annotations

from torch import nn

from harness import InstrumentedModel


def use_relu(model: InstrumentedModel) -> int:
    """Put a ReLU in the place of every GELU module (torch's and those of transformers); returns how many there were."""
    found = [path for path, module in model.model.named_modules() if "GELU" in type(module).__name__]
    for path in found:
        parent, _, name = path.rpartition(".")
        setattr(model.model.get_submodule(parent), name, nn.ReLU())
    return len(found)
