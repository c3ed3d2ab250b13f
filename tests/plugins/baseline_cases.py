"""Tiny random models, and the context that the engine would hand to a method, for the baselines' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from harness import Bits, Calibration, Choice, Context, InstrumentedModel, instrument
from harness.registry import registry
from harness_tasks.classification.adapters import ViTAttention


class TensorSamples:
    """Samples that lie in one tensor."""

    def __init__(self, data: Tensor) -> None:
        self.data, self.ids = data, [str(i) for i in range(len(data))]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for start in range(0, len(indices), size):
            yield SimpleNamespace(inputs=self.data[list(indices[start:start + size])], targets=None)


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def linear_net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).eval()


def conv_net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2),
                         nn.Flatten(), nn.Linear(16, 5)).eval()


def transformer(seed: int = 0) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(seed)
    return VisionTransformer(img_size=8, patch_size=4, num_classes=5, embed_dim=12, depth=2, num_heads=3).eval()


def instrumented(model: nn.Module) -> InstrumentedModel:
    return instrument(model, {"timm.layers.attention.Attention": ViTAttention})


def context_of(model: nn.Module, data: Tensor, weights: int = 4, activations: int = 4,
               batch_size: int = 4) -> Context:
    twin = instrumented(model)
    calibration = Calibration(TensorSamples(data), list(range(len(data))), lambda m, x: m(x), batch_size)
    return Context(twin, calibration, Bits(weights, activations), registry(),
                   lambda a, b: (a - b).square().mean(), torch.Generator().manual_seed(0), silent)


def run_method(name: str, context: Context, **options: Any) -> InstrumentedModel:
    """Place and calibrate as the engine does."""
    method = registry().create(registry().methods, Choice(name=name, options=options))
    method.place(context)
    method.calibrate(context)
    return context.model


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (linear_net, (10, 6)), "conv": (conv_net, (10, 3, 8, 8)), "transformer": (transformer, (10, 3, 8, 8))}


def case(name: str, **kwargs: Any) -> Context:
    build, shape = CASES[name]
    return context_of(build(), torch.randn(shape, generator=torch.Generator().manual_seed(7)), **kwargs)
