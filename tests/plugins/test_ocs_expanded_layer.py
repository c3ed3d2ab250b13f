"""A split operand on an ordinary layer equals a layer that is expanded in truth, forward and backward."""

from __future__ import annotations

import pytest
import torch
from ocs_cases import ReallyExpanded, symmetric
from torch import Tensor, nn

from harness import LearnedUniform, Partition, Quantizer, instrument
from harness_plugins.ocs.quantizer import SplitChannels, SplitLargest
from harness_plugins.ocs.splitting import split_channels, split_weight


def layer_of(kind: str) -> nn.Linear | nn.Conv2d:
    torch.manual_seed(3)
    layer: nn.Linear | nn.Conv2d = nn.Linear(12, 7) if kind == "linear" else nn.Conv2d(12, 7, 3, padding=1)
    with torch.no_grad():
        layer.weight *= layer.weight.abs() ** 2  # outliers
        layer.weight /= layer.weight.abs().max()
    return layer


def inputs_of(kind: str) -> Tensor:
    shape = (5, 9, 12) if kind == "linear" else (2, 12, 6, 6)
    return torch.randn(shape, generator=torch.Generator().manual_seed(4)) ** 3


def axis_of(kind: str) -> int:
    return -1 if kind == "linear" else -3


def split_weights(layer: nn.Linear | nn.Conv2d, axis: int, mode: str, splits: int = 5, partial: float = 0.0
                  ) -> SplitChannels:
    inner = symmetric(4, .41)  # the largest weight, 1, is then no tie
    return SplitChannels(inner, split_weight(layer.weight.detach(), axis, splits, mode,  # type: ignore[arg-type]
                                             float(inner.scale), partial))


def on_plain_layer(layer: nn.Module, weights: Quantizer, activations: Quantizer) -> nn.Module:
    model = instrument(nn.Sequential(layer), {})
    model.place("0.weight", weights)
    model.place("0.input", activations)
    return model


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("mode", ["naive", "qa"])
@pytest.mark.parametrize("partial", [0.0, 0.2])
def test_weights_split(kind: str, mode: str, partial: float) -> None:
    layer, values, activations = layer_of(kind), inputs_of(kind), symmetric(4, 3.)
    weights = split_weights(layer, axis_of(kind), mode, partial=partial)
    expanded = ReallyExpanded(layer, weights, activations)
    plain = on_plain_layer(layer, weights, activations)
    torch.testing.assert_close(plain(values), expanded(values), rtol=1e-5, atol=1e-5)
    unsplit = on_plain_layer(layer, weights.inner, activations)
    assert (unsplit(values) - expanded(values)).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("mode", ["naive", "qa"])
def test_activations_split(kind: str, mode: str) -> None:
    layer, values, weights, inner = layer_of(kind), inputs_of(kind), symmetric(4, 1.), symmetric(4, 6.)
    activations = SplitChannels(inner, split_channels(12, torch.tensor([7, 2]), axis_of(kind), mode))  # type: ignore
    expanded = ReallyExpanded(layer, weights, activations)
    plain = on_plain_layer(layer, weights, activations)
    torch.testing.assert_close(plain(values), expanded(values), rtol=1e-5, atol=1e-4)
    assert (on_plain_layer(layer, weights, inner)(values) - expanded(values)).abs().max() > 1e-2


def test_naive_activations_are_twice_the_quantized_half() -> None:
    values, inner = inputs_of("linear"), symmetric(4, 6.)
    quantized = SplitChannels(inner, split_channels(12, torch.tensor([7, 2]), -1, "naive"))(values)
    for channel in range(12):
        column = values[..., channel]
        assert torch.equal(quantized[..., channel], 2 * inner(column / 2) if channel in (2, 7) else inner(column))


@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_the_oracle_splits_the_largest_of_each_batch(kind: str) -> None:
    axis, values, inner = axis_of(kind), inputs_of(kind), symmetric(4, 6.)
    others = [axis for axis in range(values.dim()) if axis != values.dim() + axis_of(kind)]
    oracle = SplitLargest(inner, 12, axis, 3, "naive")
    for batch in (values, -values.roll(1, values.dim() + axis)):
        largest = batch.abs().amax(others).argsort(descending=True)[:3]
        static = SplitChannels(inner, split_channels(12, largest, axis, "naive"))
        assert torch.equal(oracle(batch), static(batch))
    assert oracle.describe()["dynamic"] is True
    assert oracle.describe()["expansion"] == 15 / 12


@pytest.mark.parametrize("mode", ["naive", "qa"])
def test_the_gradient_is_that_of_the_expanded_layer(mode: str) -> None:
    layer, values, activations = layer_of("linear"), inputs_of("linear"), symmetric(8, 20.)
    weights = split_weights(layer, -1, mode)
    expanded = ReallyExpanded(layer, weights, activations)
    plain = on_plain_layer(layer, weights, activations)
    upstream = torch.randn(5, 9, 7, generator=torch.Generator().manual_seed(5))
    (plain(values) * upstream).sum().backward()
    (expanded(values) * upstream).sum().backward()
    table, given = weights.table(layer.weight), expanded.stored.grad
    # A weight that is halved moves each copy by half as much: the chain rule through the table.
    expected = table.merge(given * table.gain)
    torch.testing.assert_close(plain.get_parameter("model.0.weight").grad, expected, rtol=1e-5, atol=1e-5)
    assert bool((expected == 0).any()), "some weights lie outside of the range"


def test_halves_of_a_channel_stay_one_weight_in_the_expanded_layer() -> None:
    """Both see the same input: the same gradient, as long as both are inside of the range."""
    layer, values = layer_of("linear"), inputs_of("linear")
    inner = symmetric(4, 1.)
    weights = SplitChannels(inner, split_weight(layer.weight.detach(), -1, 1, "qa", float(inner.scale)))
    expanded = ReallyExpanded(layer, weights, symmetric(8, 20.))
    expanded(values).square().sum().backward()
    assert torch.equal(expanded.stored.grad[:, weights.source[0]], expanded.stored.grad[:, -1])


def test_a_learned_step_has_the_gradient_of_the_expanded_operand() -> None:
    inner = LearnedUniform(Partition.tensor(), 4)
    inner.set_scale(torch.tensor([.3]))
    split = SplitChannels(inner, split_channels(12, torch.tensor([7, 2]), -1, "naive"))
    values = inputs_of("linear")
    split(values).sum().backward()
    through_split, inner.scale.grad = inner.scale.grad, None
    inner(split.table(values).expand(values)).sum().backward()
    torch.testing.assert_close(through_split, inner.scale.grad)


def test_trained_weights_are_split_as_before() -> None:
    layer = layer_of("linear")
    weights = split_weights(layer, -1, "qa")
    moved = layer.weight.detach() + .05
    table = weights.table(moved)
    assert torch.equal(weights(moved), table.merge(weights.inner(table.expand(moved, weights.inner.scale))))
    assert not torch.equal(weights(moved), weights(layer.weight))


def test_the_table_is_saved_with_the_model() -> None:
    layer = layer_of("linear")
    weights = split_weights(layer, -1, "qa")
    other = SplitChannels(symmetric(4, 9.), split_weight(torch.ones(7, 12), -1, 5, "naive"))
    other.load_state_dict(weights.state_dict())
    assert torch.equal(other(layer.weight), weights(layer.weight))
    assert weights.describe() == {"quantizer": "split uniform symmetric", "bits": 4, "granularity": "tensor",
                                  "groups": 1, "dynamic": False, "expansion": 17 / 12}


def test_quantization_aware_splitting_is_exact_where_no_copy_is_clipped() -> None:
    """The effective weight lies on the unsplit grid, and reaches further where a channel is split."""
    layer = layer_of("linear")
    weights = split_weights(layer, -1, "qa", splits=12)
    step, plain = float(weights.inner.scale), layer.weight.detach()
    table, quantized = weights.table(plain), weights(plain)
    codes = (table.expand(plain, step) / step).round()
    inside = table.merge(((codes < -8) | (codes > 7)).float()) == 0
    torch.testing.assert_close(quantized[inside], ((plain / step).round() * step)[inside], rtol=1e-5, atol=1e-6)
    assert quantized[inside].abs().max() > 8 * step
