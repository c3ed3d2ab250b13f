"""Min-max against plain minima and maxima."""

from __future__ import annotations

import pytest
import torch
from baseline_cases import case, context_of, linear_net, run_method

from harness import Choice
from harness.registry import registry


def test_ranges_are_the_extremes_of_all_data() -> None:
    model, data = linear_net(), torch.randn(11, 6)
    hidden = torch.relu(model[0](data)).detach()
    weight = model[0].weight.detach()
    quantized = run_method("minmax", context_of(model, data, 4, 6))
    scale = (weight.amax(1).clamp(min=0) - weight.amin(1).clamp(max=0)) / 15
    torch.testing.assert_close(quantized.quantizer("0.weight").scale, scale)
    assert float(quantized.quantizer("0.input").scale) == pytest.approx(float(data.max() - data.min()) / 255)
    assert float(quantized.quantizer("2.input").scale) == pytest.approx(float(hidden.max()) / 63)
    assert float(quantized.quantizer("2.input").zero_point) == 0


def test_activations_are_observed_in_full_precision() -> None:
    model, data = linear_net(), torch.randn(11, 6)
    hidden = torch.relu(model[0](data)).detach()
    coarse = run_method("minmax", context_of(model, data, 2, 2), stem_bits=2)
    assert float(coarse.quantizer("2.input").scale) == pytest.approx(float(hidden.max()) / 3)


def test_ema_averages_batches() -> None:
    model, data = linear_net(), torch.randn(12, 6)
    quantized = run_method("minmax", context_of(model, data, batch_size=4), search={"ema": True, "rate": .3})
    upper = lower = None
    for batch in data.split(4):
        upper = batch.max() if upper is None else upper + .3 * (batch.max() - upper)
        lower = batch.min() if lower is None else lower + .3 * (batch.min() - lower)
    assert float(quantized.quantizer("0.input").scale) == pytest.approx(float(upper - lower) / 255)


def test_one_pass_over_the_calibration_set(monkeypatch: pytest.MonkeyPatch) -> None:
    context = case("transformer")
    calls = []
    monkeypatch.setattr(context.model, "forward", lambda x: (calls.append(len(x)), context.model.model(x))[1])
    run_method("minmax", context)
    assert calls == [4, 4, 2]


def test_the_search_of_another_method_can_be_chosen() -> None:
    context = context_of(linear_net(), torch.randn(8, 6))
    plain = run_method("minmax", context).quantizer("0.weight").scale.clone()
    method = registry().create(registry().methods, Choice(name="minmax", options={"search": "omse"}))
    method.place(context)
    method.calibrate(context)
    assert bool((context.model.quantizer("0.weight").scale < plain).any())
