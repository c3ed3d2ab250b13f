"""LSQ+: offsets, its two ways to start, and that offsets learn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from harness import Bits, Context, LearnedUniform, Method, initial_scale
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness.testing.training import TrainingConformance

HIDDEN = "blocks.0.fc2.input"


def ready(budget: str = "steps=2", **options: Any) -> tuple[Context, Method[Any]]:
    spec = registry().methods["lsqplus"]
    method = registry().component(spec)(resolve(spec.options, options, "method lsqplus"))
    context = toy_context(Bits(3, 3), budget=budget)
    method.place(context)
    method.calibrate(context)
    return context, method


def learned(context: Context, path: str) -> LearnedUniform:
    quantizer = context.model.quantizer(path)
    assert isinstance(quantizer, LearnedUniform)
    return quantizer


class TestLsqPlus(TrainingConformance):
    method = "lsqplus"


class TestLsqPlusOffsetsEverywhere(TrainingConformance):
    method = "lsqplus"
    options = {"activations": {"scheme": "unsigned", "offset": True}, "search": {"weights": "gaussian"}}  # noqa: RUF012


def test_only_the_input_of_an_mlps_second_layer_has_an_offset() -> None:
    context, _ = ready()
    for path, site in context.model.sites.items():
        quantizer = learned(context, path)
        assert (quantizer.offset is not None) == (site.role == "fc2" and site.operand == "input"), path
        unsigned = quantizer.offset is not None or site.role == "attention"
        assert quantizer.scheme == ("unsigned" if unsigned else "symmetric"), path


def test_offsets_can_be_everywhere_but_on_weights_and_attention_maps() -> None:
    context, _ = ready(activations={"scheme": "unsigned", "offset": True})
    without = {site.role for path, site in context.model.sites.items()
               if not site.is_weight and learned(context, path).offset is None}
    assert without == {"attention"}
    assert all(learned(context, path).offset is None
               for path, site in context.model.sites.items() if site.is_weight)


def start_of(context: Context, path: str, rule: str, *, offset: bool = False) -> tuple[float, float | None]:
    site = context.model.sites[path]
    if site.is_weight:
        tensor = context.model.operation(site.operation).get_parameter("weight").detach()
    else:
        seen: list[torch.Tensor] = []
        handle = context.model.quantizer(path).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.no_grad():
            context.model(next(context.calibration.batches(size=4)))
        handle.remove()
        tensor = seen[0]
    quantizer = learned(context, path)
    scale, shift = initial_scale(tensor, rule, quantizer.bits, quantizer.scheme, quantizer.partition, offset)
    return float(scale), None if shift is None else float(shift)


def test_weights_and_activations_start_at_the_least_squared_error() -> None:
    context, _ = ready()
    weight, hidden = learned(context, "blocks.0.attn.qkv.weight"), learned(context, HIDDEN)
    assert float(weight.scale.detach()) == pytest.approx(start_of(context, "blocks.0.attn.qkv.weight", "mse")[0])
    assert hidden.offset is not None
    scale, offset = start_of(context, HIDDEN, "mse", offset=True)
    assert (float(hidden.scale.detach()), float(hidden.offset.detach())) == (
        pytest.approx(scale, rel=1e-5), pytest.approx(offset, rel=1e-5))


def test_weights_can_start_at_three_deviations() -> None:
    context, _ = ready(search={"weights": "gaussian"})
    weight = context.model.operation("blocks.0.attn.qkv").get_parameter("weight").detach().double()
    mean, deviation = float(weight.mean()), float(weight.std(correction=0))
    expected = max(abs(mean - 3 * deviation), abs(mean + 3 * deviation)) / 4
    assert float(learned(context, "blocks.0.attn.qkv.weight").scale.detach()) == pytest.approx(expected, rel=1e-5)


def test_an_offset_gives_the_gelus_negative_values_levels() -> None:
    context, _ = ready()
    values = torch.nn.functional.gelu(torch.linspace(-3, 3, 200))
    with torch.no_grad():
        assert float(learned(context, HIDDEN)(values).min()) < -.02
    context, _ = ready(hidden={"offset": False})
    with torch.no_grad():
        assert float(learned(context, HIDDEN)(values).min()) == 0


def test_offsets_are_trained() -> None:
    context, method = ready(training={"batch_size": 8, "learning_rate": 1e-3})
    before = learned(context, HIDDEN).offset
    assert before is not None
    start = float(before.detach())
    method.train(context)
    assert float(before.detach()) != start


@pytest.mark.parametrize("name", sorted(registry().methods["lsqplus"].ablations))
def test_every_ablation_trains(name: str) -> None:
    options = registry().methods["lsqplus"].ablations[name]
    context, method = ready(**{**options, "training": {"batch_size": 4}})
    method.train(context)
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])
