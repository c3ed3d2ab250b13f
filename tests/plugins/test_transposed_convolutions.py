"""Searches that write a layer as a product of matrices, on transposed convolutions (a mask head's upsampling)."""

from __future__ import annotations

import pytest
import torch
from baseline_cases import context_of, run_method
from torch import Tensor, nn

from harness_plugins.bitsplit.quantizer import Stitched


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(),
                         nn.ConvTranspose2d(4, 6, 2, stride=2), nn.ReLU(), nn.Conv2d(6, 2, 1)).eval()


def pictures() -> Tensor:
    return torch.randn(8, 3, 5, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ["minmax", "omse", "percentile", "easyquant", "bitsplit", "igqvit", "ptqvit"])
def test_every_method_quantizes_one(method: str) -> None:
    context = context_of(net(), pictures(), 6, 6)
    model = run_method(method, context)
    inputs = pictures()
    with torch.no_grad():
        quantized = model(inputs)
        with model.full_precision():
            full = model(inputs)
    assert model.quantizer("2.weight").describe()["bits"] == 6
    assert 0 < float((quantized - full).norm() / full.norm()) < .3


def test_bitsplit_fits_integers_to_the_channels_that_they_belong_to() -> None:
    """With 8 bits they are nearly the weight: in the wrong places they would be far from it."""
    model = run_method("bitsplit", context_of(net(), pictures(), 8, 8), search={"weights": "fwa"})
    quantizer, weight = model.quantizer("2.weight"), model.operation("2").weight.detach()
    assert isinstance(quantizer, Stitched)
    assert quantizer.partition.slots == 6
    assert float((quantizer(weight) - weight).norm() / weight.norm()) < .01
