"""A quantized model to a safetensors file and back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def through_safetensors(module: nn.Module) -> dict[str, Tensor]:
    """The state of ``module`` after it was written to a file and read again.

    Raises :class:`TypeError` for what is no tensor; tensors that share memory are written apart.
    """
    state: Mapping[str, Tensor] = module.state_dict()
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if other:
        raise TypeError(f"{other[0]} is in the state and is no tensor")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.safetensors"
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in state.items()}, file)
        return load_file(file)


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Fill every floating tensor of the state with ones, so that what is not loaded is noticed."""
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.fill_(1.0)
