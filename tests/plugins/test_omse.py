"""OMSE against a slow exhaustive search, one slot and one candidate at a time."""

from __future__ import annotations

import pytest
import torch
from baseline_cases import context_of, conv_net, linear_net, run_method
from torch import Tensor

from harness import Choice, OptionError, Partition, Uniform
from harness.registry import registry


def best_scale(values: Tensor, bits: int, scheme: str, candidates: int = 90) -> tuple[float, list[float]]:
    quantizer = Uniform(Partition.tensor(), bits, scheme)  # type: ignore[arg-type]
    errors, scales = [], []
    for i in range(candidates):
        factor = 1 - .01 * i
        quantizer.set_range(factor * values.min().reshape(1), factor * values.max().reshape(1))
        errors.append(float((quantizer(values) - values).double().square().sum()))
        scales.append(float(quantizer.scale))
    return scales[errors.index(min(errors))], errors


@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_are_exact_in_every_channel(scheme: str, bits: int) -> None:
    model = conv_net()
    weight = model[0].weight.detach().clone()
    quantized = run_method("omse", context_of(model, torch.randn(4, 3, 8, 8), bits, 8), weights={
        "name": "uniform", "options": {"granularity": "channel", "scheme": scheme}})
    expected = [best_scale(channel.reshape(-1), bits, scheme)[0] for channel in weight]
    assert quantized.quantizer("0.weight").scale.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_activations_are_as_good_as_the_exhaustive_choice(bits: int) -> None:
    data = torch.randn(300, 6, generator=torch.Generator().manual_seed(2)) ** 3
    model = run_method("omse", context_of(linear_net(), data, 4, bits, batch_size=37), stem_bits=bits)
    quantizer = model.quantizer("0.input")
    error = float((quantizer(data) - data).double().square().sum())
    _, errors = best_scale(data, bits, "asymmetric")
    assert error <= min(errors) * 1.002
    assert min(errors) < .99 * errors[0]


def test_one_candidate_is_minmax() -> None:
    data = torch.randn(9, 6)
    omse = run_method("omse", context_of(linear_net(), data), search={"candidates": 1})
    minmax = run_method("minmax", context_of(linear_net(), data))
    for path in ("0.weight", "0.input", "2.weight", "2.input"):
        assert torch.equal(omse.quantizer(path).scale, minmax.quantizer(path).scale)


def test_weights_can_keep_their_extremes() -> None:
    data = torch.randn(9, 6)
    omse = run_method("omse", context_of(linear_net(), data, 2, 4), search={"weights": "minmax"})
    minmax = run_method("minmax", context_of(linear_net(), data, 2, 4))
    assert torch.equal(omse.quantizer("0.weight").scale, minmax.quantizer("0.weight").scale)


def test_candidates_must_stay_above_zero() -> None:
    with pytest.raises(OptionError, match="above 0"):
        registry().options(registry().searches, Choice(name="omse", options={"candidates": 101}))
