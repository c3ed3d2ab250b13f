"""Shared by the tests of VT-PTQ: a tiny ViT, the context an engine would give, and slow obvious references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from harness import Bits, Calibration, Choice, Context, InstrumentedModel, MinMax, Uniform, instrument
from harness.registry import registry
from harness_plugins.ptqvit.inputs import Inputs
from harness_plugins.ptqvit.sample import LayerSample
from harness_plugins.ptqvit.store import BlockSize

SYMMETRIC = Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"})


class Rows:
    """Samples that lie in one tensor."""

    def __init__(self, data: Tensor) -> None:
        self.data, self.ids = data, [str(i) for i in range(len(data))]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for start in range(0, len(indices), size):
            yield SimpleNamespace(inputs=self.data[list(indices[start:start + size])], targets=None)


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def tiny_vit(seed: int = 0, classes: int = 5) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(seed)
    model = VisionTransformer(img_size=16, patch_size=4, num_classes=classes, embed_dim=32, depth=2, num_heads=2)
    for parameter in model.parameters():  # timm's initialisation is too small for attention to differ from uniform
        if parameter.dim() == 2:
            parameter.data.mul_(6)
    return model.eval()


def divergence(reference: Tensor, outputs: Tensor) -> Tensor:
    expected, given = torch.log_softmax(reference, -1), torch.log_softmax(outputs, -1)
    return (expected.exp() * (expected - given)).sum(-1).mean()


def context_of(model: nn.Module, data: Tensor, bits: str = "4/4", batch_size: int = 4) -> Context:
    adapters = {spec.attention: registry().component(spec) for spec in registry().adapters.values()}
    calibration = Calibration(Rows(data), list(range(len(data))), lambda m, x: m(x), batch_size)
    return Context(instrument(model, adapters), calibration, Bits.parse(bits), registry(), divergence,
                   torch.Generator().manual_seed(0), silent)


def vit_context(bits: str = "4/4", images: int = 10) -> Context:
    data = torch.randn(images, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    return context_of(tiny_vit(), data, bits)


def run_method(context: Context, **options: Any) -> InstrumentedModel:
    method = registry().create(registry().methods, Choice(name="ptqvit", options=options))
    method.place(context)
    method.calibrate(context)
    return context.model


def symmetric(model: InstrumentedModel, bits: int = 4) -> dict[str, Uniform]:
    """Put symmetric per-tensor quantizers on every site; operand -> quantizer of a one-operation model."""
    for path, site in model.sites.items():
        model.place(path, registry().create(registry().quantizers, SYMMETRIC, site, bits))
    return {site.operand: model.quantizer(path) for path, site in model.sites.items()}


def pearson(a: Tensor, b: Tensor) -> float:
    """Equation 12 as it is written."""
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    return float((a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt()))


def fake(tensor: Tensor, scale: float, bits: int = 4) -> Tensor:
    """Equation 8, times the scale."""
    half = 2 ** (bits - 1)
    return (torch.round(tensor / scale).clamp(-half, half - 1)) * scale


def inputs_of(quantizers: dict[str, Any], chunks: Sequence[tuple[Tensor, ...]], operation: Any = None,
              **given: Any) -> Inputs:
    """All of the chunks' items in memory, as a capture would give them; of a layer with its ``operation``."""
    operands = [operand for operand in quantizers if operand != "weight"]
    bounds = {}
    for side, operand in enumerate(operands):
        if isinstance(quantizers[operand], Uniform):
            observer = MinMax(quantizers[operand].partition)
            for chunk in chunks:
                observer.observe(chunk[side])
            bounds[operand] = observer.range()
    kept: list[tuple[Tensor, ...]] = list(chunks)
    if operation is not None:
        kept, sample = [], LayerSample(operation, 0, torch.Generator(), lambda tensors: kept.append(tuple(tensors)))
        for chunk in chunks:
            sample.take(chunk, 1)
            sample.finish(1)
    items = tuple(torch.cat(parts) for parts in zip(*kept, strict=True))

    def blocks(size: BlockSize, seed: int | None) -> Iterator[tuple[Tensor, ...]]:
        order = (torch.arange(len(items[0])) if seed is None
                 else torch.randperm(len(items[0]), generator=torch.Generator().manual_seed(seed)))
        for chosen in order.split(size([item.shape[1:] for item in items])):
            yield tuple(item[chosen] for item in items)

    return Inputs(blocks, len(items[0]), bounds, **given)
