"""Finding the products that no site covers: what an instrumented model multiplies outside its twins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from .instrument import InstrumentedModel
from .operations import Quantizable

#: ATen operations that multiply and accumulate. What a model calls decomposes into the first line;
#: in inference mode the composite ones of the second line arrive whole.
_PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "convolution", "_native_multi_head_attention",
             "linear", "matmul", "einsum", "conv1d", "conv2d", "conv3d"}


class _Watch(TorchDispatchMode):
    def __init__(self, root: nn.Module) -> None:
        super().__init__()
        self.root = root
        self.stack: list[tuple[str, nn.Module]] = []
        self.found: list[str] = []

    def enter(self, path: str) -> Callable[..., None]:
        return lambda module, inputs: self.stack.append((path, module))

    def leave(self, *_: Any) -> None:
        self.stack.pop()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        product = name in _PRODUCTS or name.startswith("_scaled_dot_product")
        if product and not any(isinstance(module, Quantizable) for _, module in self.stack):
            path, module = self.stack[-1] if self.stack else ("", self.root)
            self.found.append(f"{name} in {type(module).__name__} at {path or 'the model itself'!r}")
        return function(*args, **(kwargs or {}))


@torch.no_grad()
def unseen_products(model: InstrumentedModel, run: Callable[[InstrumentedModel], Any]) -> list[str]:
    """Where one forward, ``run(model)``, multiplies outside every site; empty if nothing goes unseen.

    Each entry names the operation, the class and the path of the innermost module around it.
    """
    watch = _Watch(model.model)
    with ExitStack() as hooks, watch:
        for path, module in model.model.named_modules():
            hooks.callback(module.register_forward_pre_hook(watch.enter(path)).remove)
            hooks.callback(module.register_forward_hook(watch.leave, always_call=True).remove)
        run(model)
    return list(dict.fromkeys(watch.found))
