"""What a method must leave as it found it: a model that other runs use, and the modules' hooks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def left_hooks(model: nn.Module, before: dict[str, int] | None = None) -> list[str]:
    """The modules and parameters of ``model`` with more hooks than :func:`hooks` counted ``before`` (none: than 0)."""
    return [path for path, count in hooks(model).items() if count > (before or {}).get(path, 0)]


def hooks(model: nn.Module) -> dict[str, int]:
    """Path -> number of hooks, of modules and parameters that have any."""
    found = {path or "the model itself": sum(len(getattr(module, kind)) for kind in _HOOKS)
             for path, module in model.named_modules()}
    found |= {path: len(parameter._backward_hooks or ()) for path, parameter in model.named_parameters()}
    return {path: count for path, count in found.items() if count}


class Kept:
    """Remembers a model that nobody may change; ``name`` is what messages call it.

    By checksum, which costs a reading of the weights: the version counters of tensors miss what is done through
    ``.data``.
    """

    def __init__(self, name: str, model: nn.Module) -> None:
        self.name, self._model = name, model
        self._tensors, self._hooks, self._modes = dict(_checksums(model)), hooks(model), _modes(model)

    def change(self) -> str:
        """What has been changed since, the first of it; empty for a model as it was."""
        now = dict(_checksums(self._model))
        if now.keys() != self._tensors.keys():
            return f"tensors were added to or taken from {self.name}: {min(now.keys() ^ self._tensors.keys())}"
        if different := [path for path in now if now[path] != self._tensors[path]]:
            return f"{different[0]} of {self.name} was changed ({len(different)} of its {len(now)} tensors were)"
        if left := left_hooks(self._model, self._hooks):
            return f"a hook was left on {left[0]} of {self.name}"
        if _modes(self._model) != self._modes:
            return f"{self.name} was left in another mode of training"
        return ""


def _checksums(model: nn.Module) -> Iterator[tuple[str, int]]:
    for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
        yield path, zlib.crc32(_bytes(tensor))


def _bytes(tensor: Tensor) -> memoryview:
    return memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())


def _modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]
