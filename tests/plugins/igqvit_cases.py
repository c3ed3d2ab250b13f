"""Tiny models and random pictures for the tests of IGQ-ViT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from harness import Bits, Calibration, Choice, Context, InstrumentedModel, Method, instrument
from harness.registry import registry

CLASSES = 5


class RandomPictures:
    """As :class:`harness.Samples`."""

    def __init__(self, count: int, size: int) -> None:
        self.pictures = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))
        self.ids: Sequence[str] = [str(index) for index in range(count)]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for start in range(0, len(indices), size):
            chosen = list(indices[start:start + size])
            yield SimpleNamespace(inputs=self.pictures[chosen], targets=None)


def tiny_vit() -> nn.Module:
    torch.manual_seed(0)
    return _spread(VisionTransformer(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3,
                                     num_classes=CLASSES))


def tiny_swin() -> nn.Module:
    torch.manual_seed(0)
    return _spread(SwinTransformer(img_size=32, patch_size=4, window_size=4, embed_dim=12, depths=(2, 1),
                                   num_heads=(2, 4), num_classes=CLASSES))


def divergence(reference: Tensor, outputs: Tensor) -> Tensor:
    """KL of class probabilities, mean over samples."""
    expected, given = (torch.log_softmax(logits.double(), -1) for logits in (reference, outputs))
    return (expected.exp() * (expected - given)).sum(-1).mean()


def context_of(model: nn.Module, bits: str = "4/4", images: int = 6, size: int = 16, batch_size: int = 4) -> Context:
    """A context over random pictures, with every adapter that is installed."""
    known = registry()
    adapters = {spec.attention: known.component(spec) for spec in known.adapters.values()}
    calibration = Calibration(RandomPictures(images, size), list(range(images)), lambda net, inputs: net(inputs),
                              batch_size)
    return Context(instrument(model, adapters), calibration, Bits.parse(bits), known, divergence,
                   torch.Generator().manual_seed(0), _silent)


def igqvit(**options: Any) -> Method[Any]:
    """The method, with its search kept short unless ``options`` say otherwise."""
    return registry().create(registry().methods, Choice(name="igqvit", options=SHORT | options))  # type: ignore[no-any-return]


SHORT: dict[str, Any] = {"g": 3, "search": {"alloc": "uniform", "iterations": 6, "allocate_every": 3}}


def quantized(model: nn.Module, bits: str = "4/4", size: int = 16, **options: Any) -> tuple[InstrumentedModel, Context]:
    """``model`` placed and calibrated."""
    context, method = context_of(model, bits, size=size), igqvit(**options)
    method.place(context)
    method.calibrate(context)
    return context.model, context


def outputs_of(context: Context) -> Tensor:
    return torch.cat(list(context.calibration.responses(context.model)))


@contextmanager
def _silent(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def _spread(model: nn.Module) -> nn.Module:
    """Give LayerNorms and layers weights of a trained network's spread, some channels an outlier."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.copy_(torch.linspace(0.2, 3, module.weight.numel()))
    return model.eval()
