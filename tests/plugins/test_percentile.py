"""Percentile ranges against torch.quantile and an exhaustive choice."""

from __future__ import annotations

import pytest
import torch
from baseline_cases import context_of, linear_net, run_method
from torch import Tensor

from harness import Choice, OptionError, Partition, Uniform
from harness.registry import registry


def heavy_tailed(count: int = 400) -> Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(1)) ** 5


def quantized_error(data: Tensor, lower: Tensor, upper: Tensor, bits: int) -> float:
    quantizer = Uniform(Partition.tensor(), bits)
    quantizer.set_range(lower.reshape(1), upper.reshape(1))
    return float((quantizer(data) - data).double().square().sum())


@pytest.mark.parametrize("pct", [99.9, 97.])
def test_percentile_of_each_batch_averaged(pct: float) -> None:
    data = heavy_tailed()
    quantized = run_method("percentile", context_of(linear_net(), data, 4, 4, batch_size=100), stem_bits=4,
                           search={"pct": pct, "rate": .2})
    ends = None
    for batch in data.split(100):
        new = torch.quantile(batch.flatten().double(), torch.tensor([1 - pct / 100, pct / 100]).double())
        ends = new if ends is None else ends + .2 * (new - ends)
    assert float(quantized.quantizer("0.input").scale) == pytest.approx(float(ends[1] - ends[0]) / 15, rel=1e-5)


def test_weights_keep_their_extremes_unless_asked() -> None:
    model = linear_net()
    weight = model[0].weight.detach().clone()
    width = weight.amax(1).clamp(min=0) - weight.amin(1).clamp(max=0)
    plain = run_method("percentile", context_of(model, heavy_tailed(8)), search={"pct": 80.})
    torch.testing.assert_close(plain.quantizer("0.weight").scale, width / 15)
    model = run_method("percentile", context_of(linear_net(), heavy_tailed(8)),
                       search={"pct": 80., "weights": "percentile"})
    ends = torch.quantile(weight, torch.tensor([.2, .8]), dim=1)
    torch.testing.assert_close(model.quantizer("0.weight").scale,
                               (ends[1].clamp(min=0) - ends[0].clamp(max=0)) / 15)


@pytest.mark.parametrize("bits", [3, 8])
def test_mse_takes_the_best_candidate(bits: int) -> None:
    data = heavy_tailed()
    candidates = (90., 99., 99.9, 100.)
    model = run_method("percentile", context_of(linear_net(), data, 4, bits, batch_size=400), stem_bits=bits,
                       search={"pct": "mse", "candidates": candidates})
    ends = [torch.quantile(data.flatten(), torch.tensor([1 - pct / 100, pct / 100])) for pct in candidates]
    errors = [quantized_error(data, lower, upper, bits) for lower, upper in ends]
    lower, upper = ends[errors.index(min(errors))]
    assert float(model.quantizer("0.input").scale) == pytest.approx(float(upper - lower) / (2 ** bits - 1), rel=1e-5)


def test_the_best_candidate_depends_on_the_bits() -> None:
    data = heavy_tailed()
    scales = [float(run_method("percentile", context_of(linear_net(), data, 4, bits, batch_size=400), stem_bits=bits,
                               search={"pct": "mse", "candidates": (90., 99., 99.9, 100.)})
                    .quantizer("0.input").scale) * (2 ** bits - 1) for bits in (2, 8)]
    assert scales[0] < scales[1]


def test_options_are_validated() -> None:
    with pytest.raises(OptionError, match="pct"):
        registry().options(registry().searches, Choice(name="percentile", options={"pct": 20}))
