"""The histograms of weights that variation-aware training notes, counted one weight at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from harness import Bits, Context
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness_plugins.variation.histogram import CELLS, WeightHistogram


def ready(bits: Bits, **options: Any) -> Context:
    spec = registry().methods["variation"]
    method = registry().component(spec)(resolve(spec.options, options, "method variation"))
    context = toy_context(bits, method=method)
    method.place(context)
    method.calibrate(context)
    return context


def counted(context: Context, path: str) -> list[int]:
    quantizer, site = context.model.quantizer(path), context.model.sites[path]
    weight = context.model.operation(site.operation).get_parameter("weight")
    low, high = -2 ** (int(quantizer.bits.max()) - 1), 2 ** (int(quantizer.bits.max()) - 1) - 1
    counts = [0] * ((high - low + 2) * CELLS)
    scale = quantizer.partition.spread(quantizer.scale).expand(weight.shape)
    for one, step in zip(weight.flatten().tolist(), scale.flatten().tolist(), strict=True):
        cell = math.floor(float((torch.tensor(one) / torch.tensor(step) - (low - 1)) * CELLS))
        counts[min(max(cell, 0), len(counts) - 1)] += 1
    return counts


def test_weights_are_counted_before_and_after() -> None:
    context = ready(Bits(2, 2))
    monitor = WeightHistogram()
    monitor.prepare(context)
    paths = list(monitor.notes()["weight_bins"])
    assert paths
    assert all(context.model.sites[path].block == 1 and path.endswith(".weight") for path in paths)
    before = {path: counted(context, path) for path in paths}
    with torch.no_grad():
        for path in paths:
            context.model.operation(context.model.sites[path].operation).get_parameter("weight").mul_(-1.7)
    for path, said in monitor.notes()["weight_bins"].items():
        assert said["low"] == -3
        assert said["before"] == before[path]
        assert said["after"] == counted(context, path)
        assert said["after"] != said["before"]


def test_a_resumed_training_keeps_the_first_histogram() -> None:
    first, second = WeightHistogram(), WeightHistogram()
    context = ready(Bits(3, 3))
    first.prepare(context)
    with torch.no_grad():
        for parameter in context.model.model.parameters():
            parameter.mul_(1.3 if parameter.dim() > 1 else 1.0)  # the weights, not the scales
    second.prepare(context)
    assert second.notes() != first.notes()
    second.load_state_dict(first.state_dict())
    assert second.notes() == first.notes()


@pytest.mark.parametrize(("bits", "options"), [(Bits(8, 8), {}), (Bits(2, 2), {"leave_out": ["ffn", "mhsa"]})])
def test_nothing_is_noted_of_many_bits_or_of_full_precision(bits: Bits, options: dict[str, Any]) -> None:
    context = ready(bits, **options)
    monitor = WeightHistogram()
    monitor.prepare(context)
    assert monitor.notes() == {}
