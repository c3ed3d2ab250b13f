"""What a method must leave as it found it: a model that other runs use, and the modules' hooks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Hooks:
    """Remembers how many hooks the modules and parameters of a model have."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._before = {part: _hooks(part) for _, part in _parts(model)}

    def left(self) -> list[str]:
        """Where there are more now. What was put in meanwhile (a quantizer) may have hooks of its own."""
        return [path or "the model itself" for path, part in _parts(self._model)
                if _hooks(part) > self._before.get(part, _hooks(part))]


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module | nn.Parameter]]:
    yield from model.named_modules()
    yield from model.named_parameters()


def _hooks(part: nn.Module | nn.Parameter) -> int:
    if isinstance(part, nn.Module):
        return sum(len(getattr(part, kind)) for kind in _HOOKS)
    return len(part._backward_hooks or ())


class Kept:
    """Remembers a model that nobody may change; ``name`` is what messages call it.

    By checksum, which costs a reading of the weights: the version counters of tensors miss what is done through
    ``.data``.
    """

    def __init__(self, name: str, model: nn.Module) -> None:
        self.name, self._model = name, model
        self._tensors, self._hooks, self._modes = dict(_checksums(model)), Hooks(model), _modes(model)

    def change(self) -> str:
        """What has been changed since, the first of it; empty for a model as it was."""
        now = dict(_checksums(self._model))
        if now.keys() != self._tensors.keys():
            return f"tensors were added to or taken from {self.name}: {min(now.keys() ^ self._tensors.keys())}"
        if different := [path for path in now if now[path] != self._tensors[path]]:
            return f"{different[0]} of {self.name} was changed ({len(different)} of its {len(now)} tensors were)"
        if left := self._hooks.left():
            return f"a hook was left on {left[0]} of {self.name}"
        if _modes(self._model) != self._modes:
            return f"{self.name} was left in another mode of training"
        return ""


def _checksums(model: nn.Module) -> Iterator[tuple[str, int]]:
    for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
        yield path, zlib.crc32(_bytes(tensor))


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]
