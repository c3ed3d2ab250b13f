"""BiT's quantizers and its loss: every equation against a plain calculation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from language_cases import LAYERS, answers, language_context, run
from torch import Tensor

from harness import (
    Bits,
    Choice,
    HeadSplit,
    InstrumentedModel,
    Layout,
    Partition,
    QuantizationError,
    Seen,
    Site,
    Step,
)
from harness.registry import registry
from harness.testing.toy import toy_context
from harness_plugins.bit.binarize import binarize
from harness_plugins.bit.binary_weight import BinaryWeight
from harness_plugins.bit.elastic import Elastic, ElasticSign
from harness_plugins.bit.hidden_states import HiddenStates, hidden_states
from harness_plugins.bit.options import HiddenOptions

WEIGHT = torch.tensor([[0.5, -0.1, 0.3], [-0.4, 0.2, -0.2]])


def site(role: str = "fc1", operand: str = "weight", axes: tuple[str, ...] = ("out", "in"),
         sizes: tuple[int | None, ...] = (2, 3), split: HeadSplit | None = None) -> Site:
    channel = -2 if operand == "weight" else -1
    return Site(f"{role}.{operand}", role, operand, role, 0, Layout(axes, sizes, channel, split))


def made(name: str, of: Site, bits: int = 1, **options: Any) -> Any:
    return registry().create(registry().quantizers, Choice(name=name, options=options), of, bits)


def elastic(operand: str = "input", role: str = "fc1", bits: int = 1, **options: Any) -> Elastic | ElasticSign:
    quantizer: Elastic | ElasticSign = made("elastic", site(role, operand, ("channel",), (3,)), bits, **options)
    return quantizer


def gradients(quantizer: torch.nn.Module, tensor: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """To the tensor, and to the scale."""
    tensor = tensor.clone().requires_grad_()
    quantizer(tensor).backward(upstream)
    scale = quantizer.get_parameter("scale").grad
    assert tensor.grad is not None
    assert scale is not None
    return tensor.grad, scale


# Binary weights


def test_weights_are_their_side_of_the_mean_times_their_mean_magnitude() -> None:
    quantizer = made("binary_weight", site())
    mean, magnitude = 0.05, 1.7 / 6
    expected = torch.where(mean < WEIGHT, magnitude, -magnitude)
    torch.testing.assert_close(quantizer(WEIGHT), expected)
    shifted = WEIGHT + 1  # all positive: sides of the mean stay, the magnitude is that of the weights themselves
    torch.testing.assert_close(quantizer(shifted), torch.where(mean < WEIGHT, 1.0, -1.0) * shifted.mean())
    assert len(quantizer(torch.zeros(2, 3)).unique()) == 1


def test_words_have_their_own_magnitude_and_the_tables_mean() -> None:
    quantizer = made("binary_weight", site("word_embedding", axes=("entry", "dim")), granularity="channel")
    table = torch.tensor([[3.0, 1.0, 2.0], [-0.5, 0.1, 0.2]])  # mean 0.967
    torch.testing.assert_close(quantizer(table), torch.tensor([[2.0, 2.0, 2.0], [-0.8, -0.8, -0.8]]) / torch.tensor(
        [[1.0], [3.0]]))
    assert quantizer.describe() == {"quantizer": "binary, mean scale", "bits": 1, "granularity": "channel", "groups": 2,
                                    "dynamic": False}


@pytest.mark.parametrize("scale", ["mean", "learned"])
def test_the_gradient_of_weights_passes_everywhere(scale: str) -> None:
    quantizer = made("binary_weight", site(), scale=scale)
    quantizer.initialise(WEIGHT, "mse")
    weight, upstream = WEIGHT.clone().requires_grad_(), torch.randn(2, 3)
    quantizer(weight).backward(upstream)
    torch.testing.assert_close(weight.grad, upstream)


def test_mean_scales_follow_the_weights_and_are_not_trained() -> None:
    quantizer = made("binary_weight", site())
    quantizer.initialise(WEIGHT, "mse")
    assert float(quantizer(2 * WEIGHT).abs().mean()) == pytest.approx(3.4 / 6)
    assert not list(quantizer.parameters())


@pytest.mark.parametrize(("rule", "factor"), [("off", 1), ("numel", 1 / math.sqrt(3)), ("l1", None)])
def test_learned_scales_of_heads(rule: str, factor: float | None) -> None:
    """Two heads, one row each; Q_P is 1."""
    quantizer = made("binary_weight", site(split=HeadSplit(-2, 2)), granularity="module_head", scale="learned",
                     gradient_scale=rule)
    quantizer.initialise(WEIGHT, "mse")
    torch.testing.assert_close(quantizer.scale.detach(), torch.tensor([0.9, 0.8]) / 3)
    upstream = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    _, gradient = gradients(quantizer, WEIGHT, upstream)
    factors = torch.tensor([0.9, 0.8]).rsqrt() if factor is None else torch.full((2,), factor)
    torch.testing.assert_close(gradient, torch.tensor([1.0 - 2 + 4, -8.0 + 16 - 32]) * factors)
    assert quantizer.parameter_group("scale") == "scales"


def test_a_binary_weight_has_one_bit() -> None:
    with pytest.raises(QuantizationError, match="is to have 2"):
        made("binary_weight", site(), bits=2)


# Elastic binarization


def test_signed_values_and_their_gradients() -> None:
    quantizer = elastic(shift=False, gradient_scale="off")
    quantizer.set_scale(torch.tensor([0.5]))
    tensor = torch.tensor([-2.0, -0.5, -0.2, 0.0, 0.3, 0.5, 0.6])
    assert quantizer(tensor).tolist() == [-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5]
    upstream = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    to_tensor, to_scale = gradients(quantizer, tensor, upstream)
    assert to_tensor.tolist() == [0, 2, 4, 8, 16, 32, 0]  # where |x| <= scale
    assert to_scale.tolist() == [-1 - 2 - 4 + 8 + 16 + 32 + 64]  # everywhere


def test_unsigned_values() -> None:
    """The vector of the specification."""
    quantizer = elastic("attention", "attention")
    quantizer.set_scale(torch.tensor([0.5]))
    tensor = torch.tensor([-0.2, 0.2, 0.3, 0.9])
    assert quantizer(tensor).tolist() == [0, 0, 0.5, 0.5]
    to_tensor, to_scale = gradients(quantizer, tensor, torch.ones(4))
    assert to_tensor.tolist() == [0, 1, 1, 0]
    inside = (0 - 0.4) + (1 - 0.6)  # round(v) - v
    assert to_scale.item() == pytest.approx((inside + 1) / math.sqrt(4))


@pytest.mark.parametrize(("rule", "factor"), [("numel", 1 / math.sqrt(6)), ("l1", 1 / math.sqrt(1.7)), ("off", 1)])
def test_the_scales_gradient_is_scaled(rule: str, factor: float) -> None:
    quantizer = elastic(shift=False, gradient_scale=rule)
    _, to_scale = gradients(quantizer, WEIGHT, torch.ones(2, 3))
    assert to_scale.item() == pytest.approx(0 * factor, abs=1e-6)  # three of each sign
    _, to_scale = gradients(elastic(shift=False, gradient_scale=rule), WEIGHT.abs(), torch.ones(2, 3))
    assert to_scale.item() == pytest.approx(6 * factor)


def test_shifts_are_subtracted_from_their_channel_and_learn() -> None:
    quantizer = elastic(gradient_scale="off")
    assert isinstance(quantizer, ElasticSign)
    assert quantizer.shift is not None
    quantizer.set_scale(torch.tensor([1.0]))
    with torch.no_grad():
        quantizer.shift.values.copy_(torch.tensor([0.6, 0.0, -0.5]))
    assert quantizer(WEIGHT).tolist() == [[-1, -1, 1], [-1, 1, 1]]
    quantizer(WEIGHT).sum().backward()
    assert quantizer.shift.values.grad is not None
    assert quantizer.shift.values.grad.tolist() == [-2, -2, -2]
    assert [name for name, _ in quantizer.named_parameters()] == ["scale", "shift.values"]


@pytest.mark.parametrize(("operand", "role", "unsigned", "shifted"), [
    ("input", "fc1", False, True), ("input", "fc2", True, False), ("attention", "attention", True, False),
    ("query", "query", False, False), ("value", "value", False, False)])
def test_what_is_unsigned_and_what_is_shifted(operand: str, role: str, unsigned: bool, shifted: bool) -> None:
    quantizer = elastic(operand, role)
    assert (quantizer.scheme == "unsigned", quantizer.shift is not None) == (unsigned, shifted)
    assert quantizer.describe()["bits"] == 1
    assert elastic(operand, role, scheme="symmetric").scheme == "symmetric"
    assert elastic(operand, role, shift=False).shift is None


@pytest.mark.parametrize(("operand", "bits", "factor"), [
    ("query", 1, 2), ("attention", 1, 4), ("query", 2, 2), ("attention", 2, 4 / math.sqrt(3)),
    ("query", 8, 2 / math.sqrt(127))])
def test_where_scales_start(operand: str, bits: int, factor: float) -> None:
    quantizer = elastic(operand, operand, bits)
    quantizer.initialise(WEIGHT, "minmax")
    assert quantizer.scale.item() == pytest.approx(factor * 1.7 / 6)


def test_more_bits_are_those_of_learned_steps() -> None:
    quantizer = elastic("query", "query", 2)
    quantizer.set_scale(torch.tensor([0.2]))
    torch.testing.assert_close(quantizer(WEIGHT), torch.tensor([[0.2, 0.0, 0.2], [-0.4, 0.2, -0.2]]))


def test_heads_have_their_own_scales() -> None:
    quantizer: ElasticSign = made("elastic", Site(
        "q", "q", "query", "query", 0, Layout(("head", "token", "dim"), (2, None, 2), -1, HeadSplit(-3, 2))),
        granularity="head")
    tensor = torch.randn(3, 2, 4, 2)
    quantizer.initialise(tensor, "lsq")
    torch.testing.assert_close(quantizer.scale.detach(), 2 * tensor.abs().mean((0, 2, 3)))
    assert bool((quantizer(tensor).abs() == quantizer.scale.reshape(2, 1, 1)).all())


def test_half_precision_stays_half_precision() -> None:
    tensor = torch.randn(4, 3, dtype=torch.bfloat16, requires_grad=True)
    scale = torch.tensor([0.7], requires_grad=True)
    result = binarize(tensor, scale, Partition.tensor(), clipped=True)
    result.sum().backward()
    assert (result.dtype, tensor.grad.dtype, scale.grad.dtype) == (  # type: ignore[union-attr]
        torch.bfloat16, torch.bfloat16, torch.float32)


def test_signs_are_what_the_values_say() -> None:
    for quantizer in (made("binary_weight", site()), elastic(shift=False)):
        assert isinstance(quantizer, BinaryWeight | ElasticSign)
        quantizer.initialise(WEIGHT, "mse")
        torch.testing.assert_close(quantizer.signs(WEIGHT), torch.sign(quantizer(WEIGHT).detach()))


# Hidden states


def step(model: InstrumentedModel, given: dict[str, Tensor], taught: dict[str, Tensor]) -> Step:
    return Step(model, None, [], None, torch.zeros(()), given, 0, 0.0,  # type: ignore[arg-type]
                lambda batch: Seen(None, taught))


def test_hidden_states_are_the_embeddings_and_every_layers_output() -> None:
    model = language_context(Bits(1, 1, 1)).model
    paths = ["bert.embeddings", *(f"bert.encoder.layer.{layer}" for layer in range(LAYERS))]
    assert hidden_states(model) == paths
    loss = HiddenStates(HiddenOptions())
    assert list(loss.watches(model)) == paths
    given = {path: torch.randn(2, 5, 4) for path in paths}
    taught = {path: torch.randn(2, 5, 4) for path in paths}
    expected = sum(float(((given[path] - taught[path]) ** 2).mean()) for path in paths)
    assert float(loss(step(model, given, taught))) == pytest.approx(expected, rel=1e-5)


def test_a_vision_model_has_those_of_its_blocks() -> None:
    assert hidden_states(toy_context(Bits(1, 1)).model) == ["blocks.0", "blocks.1"]


def test_models_without_layers_and_teachers_of_another_width_are_refused() -> None:
    model = language_context(Bits(1, 1, 1)).model
    paths = hidden_states(model)
    with pytest.raises(QuantizationError, match="with the teacher's") as error:
        HiddenStates(HiddenOptions())(step(model, {path: torch.zeros(2, 5, 4) for path in paths},
                                           {path: torch.zeros(2, 5, 8) for path in paths}))
    assert "same size" in error.value.remedy
    model.sites = {}
    with pytest.raises(QuantizationError, match="layers of a transformer"):
        hidden_states(model)


def test_the_loss_is_zero_for_the_teacher_itself() -> None:
    """An unquantized student in evaluation mode: nothing differs."""
    context = run("lsq", Bits(32, 32), losses=["hidden"], training={"mode": "eval", "learning_rate": 1e-9},
                  stem_bits=32, head_bits=32)
    assert context.notes["training"][0]["loss"][0] == pytest.approx(0, abs=1e-6)
    assert bool(torch.isfinite(answers(context)).all())
