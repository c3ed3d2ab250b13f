"""IGQ-ViT's quantizers: assignment (Eqs. 4, 5), quantization (1 to 3, 8), and the group product (7)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness import HarnessError, Layout, Partition, QuantizationError, Quantizer, Site, Uniform
from harness.registry import registry
from harness_plugins.igqvit.assignment import distances, nearest
from harness_plugins.igqvit.group_matmul import group_matmul
from harness_plugins.igqvit.instance_minmax import InstanceMinMax
from harness_plugins.igqvit.options import InstanceGroupsOptions, InstanceMinMaxOptions
from harness_plugins.igqvit.quantizer import InstanceGroups

UPPER, LOWER = torch.tensor([1.0, 4.0]), torch.tensor([-1.0, 0.0])


def grouped(u: Tensor, l: Tensor, bits: int = 4, **options: object) -> InstanceGroups:  # noqa: E741
    quantizer = InstanceGroups(InstanceGroupsOptions(g=len(u), **options), bits)  # type: ignore[arg-type]
    quantizer.set_bounds(u, l)
    return quantizer


def slowly(quantizer: InstanceGroups, tensor: Tensor) -> Tensor:
    """Eqs. (1) to (5), one channel of one instance at a time: (B, N, C)."""
    out = torch.empty_like(tensor)
    top = 2 ** quantizer.bits - 1
    for instance in range(tensor.shape[0]):
        for channel in range(tensor.shape[2]):
            values = tensor[instance, :, channel]
            away = torch.stack([(values.max() - upper) ** 2 + (values.min() - lower) ** 2
                                for upper, lower in zip(*quantizer.bounds, strict=True)])
            group = int(away.argmin())
            u, l = quantizer.upper[group].clamp(min=0), quantizer.lower[group].clamp(max=0)  # noqa: E741
            scale = (u - l) / top
            zero = (-l / scale).round().clamp(0, top)
            integers = ((values / scale).round() + zero).clamp(0, top)
            out[instance, :, channel] = scale * (integers - zero)
    return out


@pytest.fixture
def tensor() -> Tensor:
    return torch.randn(3, 10, 12, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.1, 4, 12)


@pytest.fixture
def three_groups() -> InstanceGroups:
    return grouped(torch.tensor([0.4, 1.5, 5.0]), torch.tensor([-0.5, -1.2, -6.0]))


def test_assignment_vectors() -> None:
    away = distances(torch.tensor([1.2, 3.0]), torch.tensor([-0.8, 0.0]), (UPPER, LOWER), "l2_minmax")
    torch.testing.assert_close(away, torch.tensor([[0.08, 5.0], [8.48, 1.0]]))
    assert nearest(torch.tensor([1.2, 3.0]), torch.tensor([-0.8, 0.0]), (UPPER, LOWER), "l2_minmax").tolist() == [0, 1]


@pytest.mark.parametrize(("kind", "expected"), [("l1_minmax", [[0.4, 3.0], [3.6, 1.0]]),
                                                ("range_only", [[0.0, 1.0], [2.0, 1.0]])])
def test_other_distances(kind: str, expected: list[list[float]]) -> None:
    away = distances(torch.tensor([1.2, 3.0]), torch.tensor([-0.8, 0.0]), (UPPER, LOWER), kind)  # type: ignore[arg-type]
    torch.testing.assert_close(away, torch.tensor(expected))


@pytest.mark.parametrize("kind", ["l2_minmax", "l1_minmax", "range_only"])
def test_only_the_maximum_decides_where_all_lower_bounds_and_minima_are_zero(kind: str) -> None:
    upper, bounds = torch.rand(50), (torch.rand(4), torch.zeros(4))
    with_lower = nearest(upper, torch.zeros(50), bounds, kind)  # type: ignore[arg-type]
    assert torch.equal(nearest(upper, None, bounds, kind), with_lower)  # type: ignore[arg-type]


def test_equals_the_equations_one_channel_at_a_time(tensor: Tensor, three_groups: InstanceGroups) -> None:
    assert len(three_groups.assign(tensor).unique()) == 3
    torch.testing.assert_close(three_groups(tensor), slowly(three_groups, tensor), rtol=0, atol=1e-6)


def test_leading_axes_between_instance_and_channel_are_tokens(tensor: Tensor, three_groups: InstanceGroups) -> None:
    """Swin: (B, H, W, C)."""
    assert torch.equal(three_groups(tensor.reshape(3, 2, 5, 12)), three_groups(tensor).reshape(3, 2, 5, 12))


def test_single_token_instances() -> None:
    """(B, C), a classifier's input: each channel is its own maximum and minimum."""
    tensor = torch.tensor([[0.9, 3.9, -0.9]])
    assert grouped(UPPER, LOWER).assign(tensor).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_one_group_is_layer_wise(tensor: Tensor, bits: int) -> None:
    layer = Uniform(Partition.tensor(), bits)
    layer.set_range(tensor.amin()[None], tensor.amax()[None])
    assert torch.equal(grouped(tensor.amax()[None], tensor.amin()[None], bits)(tensor), layer(tensor))


def test_a_group_for_each_channel_is_dynamic_per_channel(tensor: Tensor) -> None:
    one = tensor[:1]
    quantizer = grouped(one.amax(1)[0], one.amin(1)[0])
    assert torch.equal(quantizer(one), InstanceMinMax(InstanceMinMaxOptions(), 4)(one))
    channels = Uniform(Partition.along(torch.arange(12), -1, "channel"), 4)
    channels.set_range(one.amin(1)[0], one.amax(1)[0])
    assert torch.equal(quantizer(one), channels(one))


def test_instance_aware_groups_differ_between_instances() -> None:
    tensor = torch.tensor([[[1.0, 3.0], [-1.0, 0.5]], [[4.0, 1.0], [0.0, -1.0]]])
    assert grouped(UPPER, LOWER).assign(tensor).squeeze(1).tolist() == [[0, 1], [1, 0]]


def test_permuting_channels_with_the_weight_rows_changes_nothing(tensor: Tensor, three_groups: InstanceGroups) -> None:
    weight, order = torch.randn(7, 12), torch.randperm(12)
    torch.testing.assert_close(three_groups(tensor[..., order]) @ weight[:, order].T, three_groups(tensor) @ weight.T)
    consecutive = Uniform(Partition.along(torch.arange(12) // 4, -1, "group"), 4)
    consecutive.set_range(torch.tensor([-0.5, -1.2, -6.0]), torch.tensor([0.4, 1.5, 5.0]))
    fixed = consecutive(tensor) @ weight.T
    assert not torch.allclose(consecutive(tensor.flip(-1)) @ weight.flip(-1).T, fixed)


def test_group_product_of_integers_equals_fake_quantization(tensor: Tensor, three_groups: InstanceGroups) -> None:
    weight, bias = torch.randn(7, 12), torch.randn(7)
    weights = Uniform(Partition.along(torch.arange(7), -2, "channel"), 4)
    weights.set_range(weight.amin(1), weight.amax(1))
    for instance in tensor:
        fake = torch.nn.functional.linear(three_groups(instance[None])[0], weights(weight), bias)
        product = group_matmul(instance, weight, bias, three_groups, weights)
        torch.testing.assert_close(product, fake.double(), rtol=1e-5, atol=1e-5)


def test_group_product_refuses_rows() -> None:
    weights = Uniform(Partition.tensor(), 4)
    with pytest.raises(QuantizationError, match="grouped channels"):
        group_matmul(torch.ones(2, 2), torch.ones(2, 2), None, grouped(UPPER, LOWER, axis="rows"), weights)


@pytest.mark.parametrize("lower", ["learned", "zero"])
def test_rows_scale_the_product_with_v(lower: str) -> None:
    """Eq. (8): rows are not reduced over, so each row's scale leaves the integer product."""
    attention = torch.softmax(3 * torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(1)), -1)
    value = torch.randn(2, 3, 6, 4)
    quantizer = grouped(torch.tensor([0.3, 0.6, 1.0]), torch.tensor([0.01, 0.05, -0.1]), axis="rows", lower=lower)
    groups = quantizer.assign(attention)
    assert groups.shape == (2, 3, 5, 1)
    assert len(groups.unique()) == 3
    scale, low, high = quantizer.scale[groups], quantizer.low[groups], quantizer.high[groups]
    integers = torch.minimum(torch.maximum((attention / scale).round(), low), high)
    torch.testing.assert_close(quantizer(attention) @ value, scale * (integers @ value), rtol=0, atol=1e-6)


@pytest.mark.parametrize("axis", ["channels", "rows"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_values_for_a_slot_and_idempotence_in_given_groups(axis: str, bits: int) -> None:
    tensor = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(2))
    quantizer = grouped(torch.tensor([1.0, 2.5]), torch.tensor([-0.7, -3.0]), bits, axis=axis)
    groups, out = quantizer.assign(tensor), quantizer(tensor)
    assert torch.equal(quantizer.quantize_in(groups, out), out)
    assert all(len(out[(groups == group).expand_as(out)].unique()) <= 2 ** bits for group in (0, 1))


def test_a_second_pass_may_choose_other_groups() -> None:
    """The documented exception: quantizing moves a channel's extremes."""
    quantizer = grouped(torch.tensor([1.0, 2.7]), torch.tensor([0.0, 0.0]), 2)
    tensor = torch.tensor([[[1.9], [0.0]]])  # nearer to 2.7, whose grid has 1.8, which is nearer to 1
    once, groups = quantizer(tensor), quantizer.assign(tensor)
    torch.testing.assert_close(once.amax(), torch.tensor(1.8))
    torch.testing.assert_close(quantizer(once).amax(), torch.tensor(1.0))
    assert torch.equal(quantizer.quantize_in(groups, once), once)


@pytest.mark.parametrize("constant", [0.0, 0.7, -0.7])
def test_constant_slots(constant: float) -> None:
    tensor = torch.full((1, 5, 1), constant)
    exact = InstanceMinMax(InstanceMinMaxOptions(), 4)(tensor)
    torch.testing.assert_close(exact, tensor, rtol=1e-6, atol=0)
    own = grouped(tensor.amax()[None], tensor.amin()[None])(tensor)
    torch.testing.assert_close(own, tensor, rtol=1e-6, atol=0)
    shared = grouped(torch.tensor([1.0]), torch.tensor([-1.0]))(tensor)
    assert (shared - tensor).abs().max() <= 0.5 * 2 / 15


def test_gradients_pass_inside_the_limits_and_stop_outside(three_groups: InstanceGroups) -> None:
    tensor = torch.tensor([[[0.2], [9.0]]], requires_grad=True)
    out = three_groups(tensor)
    out.sum().backward()
    assert torch.equal(out.detach(), three_groups(tensor.detach()))
    assert tensor.grad is not None
    assert tensor.grad.reshape(-1).tolist() == [1.0, 0.0]


def test_description_and_changing_the_number_of_groups(three_groups: InstanceGroups) -> None:
    three_groups.set_bounds(torch.ones(5), -torch.ones(5))
    assert three_groups.describe() == {"quantizer": "uniform asymmetric", "bits": 4, "groups": 5, "dynamic": True,
                                       "granularity": "instance groups (channels)"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bounds_must_be_finite(three_groups: InstanceGroups, value: float) -> None:
    with pytest.raises(QuantizationError, match="NaN or infinity"):
        three_groups.set_bounds(torch.tensor([value]), torch.zeros(1))


@pytest.mark.parametrize("name", ["instance_groups", "instance_minmax"])
def test_sites_without_instances_are_refused(name: str) -> None:
    weight = Site("fc.weight", "fc", "weight", "fc1", 0, Layout(("out", "in"), (4, 4), -2))
    picture = Site("fc.input", "fc", "input", "fc1", 0, Layout(("channel",), (4,), -1))
    build = registry().component(registry().quantizers[name])
    options: Any = registry().quantizers[name].options
    with pytest.raises(HarnessError, match=r"fc\.weight"):
        build(options(), weight, 4)
    with pytest.raises(HarnessError, match="rows"):
        build(options(axis="rows"), picture, 4)
    assert isinstance(build(options(), picture, 4), Quantizer)


def test_dynamic_rows_say_how_many_they_saw() -> None:
    quantizer = InstanceMinMax(InstanceMinMaxOptions(axis="rows"), 4)
    attention = torch.softmax(torch.randn(2, 3, 5, 5), -1)
    out = quantizer(attention)
    assert quantizer.describe()["groups"] == 15
    assert quantizer.describe()["dynamic"]
    torch.testing.assert_close(out.amax(-1), attention.amax(-1))
