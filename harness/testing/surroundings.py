"""What a component must leave as it found it: settings of the process, random states, the functions of torch."""

from __future__ import annotations

import builtins
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as torch_module

from ..engine.calibration import Calibration
from ..method import Context
from ..model import attention, operations
from ..model.instrument import InstrumentedModel
from ..quantizers.base import Quantizer

#: Modules and classes whose functions nobody may replace.
_PATCHABLE: tuple[Any, ...] = (
    builtins, os, random, np, torch, torch.optim, nn, nn.functional, nn.init, torch.Tensor, nn.Module, torch.Generator,
    operations, attention, InstrumentedModel, Quantizer, Calibration, Context)
#: Set by torch itself when its compiler is imported, which an optimizer does.
_OF_TORCH = ("TORCHINDUCTOR", "TRITON")
_GLOBAL_HOOKS = [name for name in vars(torch_module) if name.startswith("_global_") and name.endswith("_hooks")]


@dataclass(frozen=True)
class _Setting:
    name: str
    get: Callable[[], Any]
    put: Callable[[Any], Any]


class Surroundings:
    """The state of the process when this was made."""

    def __init__(self) -> None:
        # A number from each generator, so that one that is seeded anew is in another state.
        random.random(), np.random.rand(), torch.rand(1)
        self._values = {setting.name: setting.get() for setting in _SETTINGS}
        self._functions = {(id(owner), name): (owner, name, value) for owner, name, value in _functions()}

    def changes(self) -> list[str]:
        """What is different now, in words."""
        found = []
        for setting in _SETTINGS:
            before, now = self._values[setting.name], setting.get()
            if isinstance(now, dict):
                found += [f"{setting.name} {key} was {_short(before.get(key))} and is {_short(now.get(key))}"
                          for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
            elif before != now:
                found.append(f"{setting.name} was {_short(before)} and is {_short(now)}")
        return found + [f"{_place(owner)}.{name} was replaced" for owner, name, _ in self._replaced()]

    def restore(self) -> None:
        """Undo it, so that those who come next are not harmed."""
        for setting in _SETTINGS:
            if setting.get() != self._values[setting.name]:
                setting.put(self._values[setting.name])
        for owner, name, value in list(self._replaced()):
            setattr(owner, name, value)

    def _replaced(self) -> Iterator[tuple[Any, str, Any]]:
        for owner, name, value in self._functions.values():
            now = vars(owner).get(name, value)
            if now is not value and not _by_torch(now, value):
                yield owner, name, value


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_TORCH)}


def _set_environment(values: dict[str, str]) -> None:
    for name in _environment().keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)


def _cudnn() -> dict[str, bool]:
    cudnn = torch.backends.cudnn
    return {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")}


def _set_cudnn(flags: dict[str, bool]) -> None:
    for name, value in flags.items():
        setattr(torch.backends.cudnn, name, value)


def _silencers() -> list[Any]:
    """Filters that hide every warning."""
    return [each for each in warnings.filters
            if each[0] == "ignore" and each[1] is None and each[2] in (Warning, UserWarning) and each[3] is None]


def _unsilence(kept: list[Any]) -> None:
    warnings.filters[:] = [each for each in warnings.filters if each not in _silencers() or each in kept]  # type: ignore[index]


def _drop_global_hooks(_: dict[str, int]) -> None:
    for name in _GLOBAL_HOOKS:
        getattr(torch_module, name).clear()


_SETTINGS = [
    _Setting("the working folder", os.getcwd, os.chdir),
    _Setting("the environment variable", _environment, _set_environment),
    _Setting("torch's default type", torch.get_default_dtype, torch.set_default_dtype),
    _Setting("torch's default device", lambda: str(torch.get_default_device()), torch.set_default_device),
    _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    _Setting("torch's deterministic mode", torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    _Setting("torch's gradient mode", torch.is_grad_enabled, lambda on: torch.autograd.grad_mode.set_grad_enabled(on)),
    _Setting("torch's anomaly detection", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    _Setting("torch's precision of float32 products", torch.get_float32_matmul_precision,
             torch.set_float32_matmul_precision),
    _Setting("cudnn's flag", _cudnn, _set_cudnn),
    _Setting("the number of hooks on all modules:", lambda: {name: len(getattr(torch_module, name))
                                                            for name in _GLOBAL_HOOKS}, _drop_global_hooks),
    _Setting("the list of filters that hide all warnings", _silencers, _unsilence),
    _Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    _Setting("the handler of SIGINT", lambda: signal.getsignal(signal.SIGINT),
             lambda handler: signal.signal(signal.SIGINT, handler)),
    _Setting("Python's random state", random.getstate, random.setstate),
    _Setting("numpy's random state", lambda: _numpy_state(), lambda state: np.random.set_state(state)),
    _Setting("torch's random state", lambda: torch.get_rng_state().tolist(),
             lambda state: torch.set_rng_state(torch.tensor(state, dtype=torch.uint8))),
]


def _numpy_state() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    return (kind, np.asarray(keys).tolist(), *rest)


def _functions() -> Iterator[tuple[Any, str, Any]]:
    """Every function and class of the owners; what is imported meanwhile only adds to them."""
    classes = [value for value in vars(nn).values() if isinstance(value, type)]
    for owner in (*_PATCHABLE, *classes):
        for name, value in list(vars(owner).items()):
            if callable(value) or isinstance(value, property | staticmethod | classmethod):
                yield owner, name, value


def _place(owner: Any) -> str:
    return owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"


def _by_torch(function: Any, before: Any) -> bool:
    """torch's compiler wraps a few functions of torch when it is imported; each keeps its name."""
    same = getattr(function, "__name__", "") == getattr(before, "__name__", "")
    return same and str(getattr(function, "__module__", "")).split(".")[0] == "torch" and "<locals>" not in str(
        getattr(function, "__qualname__", ""))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else "another"
