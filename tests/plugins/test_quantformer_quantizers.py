"""Quantformer's quantizers against the equations written out slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from quantformer_cases import grouped_range, input_site
from torch import Tensor

from harness import Layout, QuantizationError, Site
from harness_plugins.quantformer.bins import equal_bins, without_empty
from harness_plugins.quantformer.centre import CentredRange
from harness_plugins.quantformer.groups import GroupedRange, quantformer_groups
from harness_plugins.quantformer.mixture import soft_mixture
from harness_plugins.quantformer.options import CentreOptions, GroupsOptions, ThresholdOptions
from harness_plugins.quantformer.threshold import entropy_threshold
from harness_plugins.quantformer.weight import ThresholdWeight, quantformer_weight


class Round(torch.autograd.Function):
    """Straight-through rounding of x to multiples of s."""

    @staticmethod
    def forward(ctx: object, value: Tensor, step: Tensor) -> Tensor:  # type: ignore[override]
        return step * (value / step).round()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient, None


def half_clip(x: Tensor, r: Tensor) -> Tensor:
    """The paper's form of clip(x, 0, r)."""
    return 0.5 * (x.abs() - (x - r).abs() + r)


def full_clip(x: Tensor, r: Tensor) -> Tensor:
    """clip(x, -r, r), with the sign that the official code lost."""
    return 0.5 * ((-x - r).abs() - (x - r).abs())


@pytest.fixture
def tensor() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 10, 12, generator=generator) * torch.linspace(0.1, 3, 12)


def slow_threshold(weight: np.ndarray, bits: int) -> float:
    """Candidate after candidate, as numpy interpolates."""
    magnitudes = np.abs(weight).ravel()
    count = math.ceil(math.sqrt(magnitudes.size))
    histogram, edges = np.histogram(magnitudes, bins=count, range=(0, float(magnitudes.max())))
    cumulative, points = histogram.cumsum() / histogram.sum(), 2 ** (bits - 1)
    best, found = np.inf, float(magnitudes.max())
    for i in range(points + 1, count + 1):
        p = cumulative.copy()
        p[i - 1:] = 1
        coarse = np.interp(np.linspace(0, 1, points), np.linspace(0, 1, i), p[:i])
        q = p.copy()
        q[:i] = np.interp(np.linspace(0, 1, i), np.linspace(0, 1, points), coarse)
        divergence = float(((cumulative - q) * np.log2(cumulative / q)).sum())
        if divergence < best - 1e-12:
            best, found = divergence, (i + 0.5) * float(edges[1] - edges[0])
    return found


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("tail", [1.0, 3.0])
def test_entropy_threshold_is_the_search_over_candidates(bits: int, tail: float) -> None:
    weight = torch.randn(60, 50, generator=torch.Generator().manual_seed(bits))
    weight = weight.sign() * weight.abs() ** tail
    assert float(entropy_threshold(weight, bits)) == pytest.approx(slow_threshold(weight.numpy(), bits), rel=1e-5)


def test_a_weight_of_few_values_is_clipped_at_its_largest() -> None:
    assert float(entropy_threshold(torch.tensor([0.5, -2.0, 1.0]), 4)) == 2.0
    assert float(entropy_threshold(torch.zeros(100), 2)) == 0


@pytest.mark.parametrize(("bits", "levels"), [(2, 3), (3, 7), (4, 15), (7, 127)])
def test_weights_take_symmetric_levels_up_to_the_threshold(bits: int, levels: int) -> None:
    weight = torch.randn(200, 400, generator=torch.Generator().manual_seed(0)).clamp(-3, 3).requires_grad_()
    quantizer = ThresholdWeight(bits, 5)
    quantizer.initialise(weight)
    threshold = entropy_threshold(weight, bits) if bits < 5 else weight.detach().abs().max()
    assert float(quantizer.threshold) == float(threshold)
    quantized = quantizer(weight)
    step = threshold / (2 ** (bits - 1) - 1)
    torch.testing.assert_close(quantized, step * (weight.clamp(-threshold, threshold) / step).round())
    assert len(quantized.unique()) == levels
    upstream = torch.randn_like(weight)
    quantized.backward(upstream)
    assert torch.equal(weight.grad, upstream), "clipped weights keep their gradient"


def test_one_bit_is_the_sign_times_the_mean_magnitude() -> None:
    weight = torch.tensor([[0.5, -2.0], [0.0, -0.1]])
    quantizer = ThresholdWeight(1, 5)
    quantizer.initialise(weight)
    torch.testing.assert_close(quantizer(weight), torch.tensor([[0.65, -0.65], [0.65, -0.65]]))


def test_a_weight_of_zeros_stays_zero() -> None:
    quantizer = ThresholdWeight(4, 5)
    quantizer.initialise(torch.zeros(8, 8))
    assert torch.equal(quantizer(torch.zeros(8, 8)), torch.zeros(8, 8))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("role", ["fc1", "fc2"])
@pytest.mark.parametrize("compat", [False, True])
def test_waves_and_their_gradients(tensor: Tensor, bits: int, role: str, compat: bool) -> None:
    quantizer = grouped_range(12, bits, role, compat_code_step=compat)
    quantizer.divide(torch.full((12,), 1.7), 1)
    half = role == "fc2"
    x = tensor.clone().requires_grad_()
    given = quantizer(x)
    y, r = tensor.clone().requires_grad_(), torch.tensor(1.7, requires_grad=True)
    step = r.detach() / (2**bits - 1 if half or compat else 2 ** (bits - 1) - 1)
    expected = Round.apply((half_clip if half else full_clip)(y, r), step)
    torch.testing.assert_close(given, expected)
    assert len(given.unique()) <= 2 ** quantizer.describe()["bits"]
    upstream = torch.randn_like(tensor)
    given.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(quantizer.ranges.grad, r.grad[None])


@pytest.mark.parametrize(("half", "compat", "levels", "bits"), [
    (False, False, 7, 3), (False, True, 15, 4), (True, False, 8, 3), (True, True, 8, 3)])
def test_the_codes_step_is_one_bit_more_and_said_so(half: bool, compat: bool, levels: int, bits: int) -> None:
    quantizer = grouped_range(4, 3, "fc2" if half else "fc1", compat_code_step=compat)
    quantizer.divide(torch.ones(4), 1)
    assert len(quantizer(torch.linspace(-2, 2, 4000).reshape(-1, 4)).unique()) == levels
    assert quantizer.describe()["bits"] == bits


def test_channel_ranges_are_capped_percentiles() -> None:
    tensor = torch.randn(4, 500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.5, 1.0, 9.0])
    quantizer = grouped_range(3, 4, percent=99.0)
    expected = [np.partition(tensor[..., c].abs().numpy().ravel(), 1980)[1980] for c in range(3)]
    torch.testing.assert_close(quantizer.channel_ranges(tensor), torch.tensor(expected).clamp(max=6))
    assert float(quantizer.channel_ranges(tensor)[2]) == 6
    half = grouped_range(3, 4, "fc2", percent=100.0, largest=100.0)
    torch.testing.assert_close(half.channel_ranges(tensor), tensor.amax((0, 1)))


def test_channels_of_pictures_lie_before_height_and_width() -> None:
    site = Site("stem.input", "stem", "input", "patch_embed", None,
                Layout(("channel", "height", "width"), (3, None, None), -3))
    quantizer = GroupedRange(GroupsOptions(groups=0, percent=100), site, 8)
    pictures = torch.rand(2, 3, 4, 5) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    quantizer.initialise(pictures)
    torch.testing.assert_close(quantizer.ranges.detach(), pictures.amax((0, 2, 3)))
    assert float((quantizer(pictures) - pictures).detach().abs().max()) < 3 / 127


def test_equal_bins() -> None:
    ranges = torch.tensor([1.0, 1.4, 2.1, 5.0, 4.9, 3.0])  # bins of width 1 from 1 to 5
    largest, group = equal_bins(ranges, 4)
    assert group.tolist() == [0, 0, 1, 3, 3, 2]
    torch.testing.assert_close(largest, torch.tensor([1.4, 2.1, 3.0, 5.0]))
    largest, group = equal_bins(torch.tensor([1.0, 5.0]), 4)
    assert (largest.tolist(), group.tolist()) == ([1, 0, 0, 5], [0, 3])
    assert [each.tolist() for each in without_empty(largest, group)] == [[1, 5], [0, 1]]
    largest, group = equal_bins(torch.full((3,), 2.0), 8)
    assert (float(largest.max()), len(group.unique())) == (2.0, 1)


def test_one_group_is_layer_wise(tensor: Tensor) -> None:
    layer, grouped = grouped_range(12, 4), grouped_range(12, 4)
    layer.divide(torch.linspace(1, 3, 12), 1)
    assert (layer.ranges.tolist(), layer.describe()["granularity"]) == ([3.0], "tensor")
    grouped.divide(torch.linspace(1, 3, 12), 1, soft=True)
    assert torch.equal(grouped.shares, torch.ones(1, 12))
    assert torch.equal(grouped(tensor), layer(tensor))


@pytest.mark.parametrize("groups", [0, 3, 8, 12, 40])
@pytest.mark.parametrize("role", ["fc1", "fc2"])
def test_groups_are_one_layer_wise_quantizer_a_channel(tensor: Tensor, groups: int, role: str) -> None:
    ranges = torch.linspace(0.5, 1.6, 12)[torch.randperm(12, generator=torch.Generator().manual_seed(1))] ** 2
    quantizer = grouped_range(12, 3, role)
    quantizer.divide(ranges, groups)
    upper = ranges if groups == 0 else equal_bins(ranges, groups)[0][equal_bins(ranges, groups)[1]]
    x = tensor.clone().requires_grad_()
    given, upstream = quantizer(x), torch.randn_like(tensor)
    given.backward(upstream)
    slopes = torch.zeros(len(quantizer.ranges))
    for channel in range(12):
        single = grouped_range(1, 3, role)
        single.divide(upper[channel:channel + 1], 1)
        column = tensor[..., channel:channel + 1].clone().requires_grad_()
        expected = single(column)
        torch.testing.assert_close(given[..., channel:channel + 1], expected)
        expected.backward(upstream[..., channel:channel + 1])
        torch.testing.assert_close(x.grad[..., channel:channel + 1], column.grad)
        slopes[quantizer.group[channel]] += single.ranges.grad[0]
    torch.testing.assert_close(quantizer.ranges.grad, slopes)


@pytest.mark.parametrize("role", ["fc1", "fc2"])
def test_the_mixture_and_all_its_gradients(tensor: Tensor, role: str) -> None:
    quantizer = grouped_range(12, 3, role)
    quantizer.divide(torch.linspace(0.3, 2.5, 12), 5, soft=True)
    with torch.no_grad():
        quantizer.assignment.normal_(generator=torch.Generator().manual_seed(0))
    clip, levels = (half_clip, 7) if role == "fc2" else (full_clip, 3)
    x, y = tensor.clone().requires_grad_(), tensor.clone().requires_grad_()
    ranges = quantizer.ranges.detach().clone().requires_grad_()
    logits = quantizer.assignment.detach().clone().requires_grad_()
    pi = torch.softmax(logits, 0)
    soft = sum(pi[g] * clip(y, ranges[g]) for g in range(5))
    hard = sum(pi[g] * Round.apply(clip(y, ranges[g]), ranges[g].detach() / levels) for g in range(5))
    expected = soft + (hard - soft).detach()
    given, upstream = quantizer(x), torch.randn_like(tensor)
    torch.testing.assert_close(given, expected)
    given.backward(upstream)
    expected.backward(upstream)
    for own, slow in ((x, y), (quantizer.ranges, ranges), (quantizer.assignment, logits)):
        torch.testing.assert_close(own.grad, slow.grad, rtol=1e-4, atol=1e-5)


def test_the_mixture_keeps_one_large_tensor(tensor: Tensor) -> None:
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda each: (kept.append(each.numel()), each)[1], lambda each: each):
        soft_mixture(tensor.requires_grad_(), torch.ones(8), torch.full((8, 12), 1 / 8), torch.ones(8), False)
    assert sorted(kept) == [8, 8 * 12, tensor.numel()]


def test_an_empty_group_puts_out_zero_in_a_mixture(tensor: Tensor) -> None:
    quantizer = grouped_range(12, 4)
    quantizer.divide(torch.tensor([1.0] * 6 + [2.0] * 6), 3, soft=True)
    assert quantizer.ranges.tolist() == [1, 0, 2]
    with torch.no_grad():
        quantizer.assignment[1] = 50
    assert float(quantizer(tensor).detach().abs().max()) < 1e-20
    quantizer.harden()
    assert float(quantizer(tensor).detach().abs().max()) < 1e-3


def test_after_the_search_each_channel_has_its_likeliest_group(tensor: Tensor) -> None:
    quantizer = grouped_range(12, 4)
    quantizer.divide(torch.linspace(1, 3, 12), 4, soft=True)
    ranges = quantizer.ranges.detach().clone()
    choice = torch.tensor([3, 0, 0, 3, 3, 1, 1, 0, 3, 3, 1, 0])  # nobody in group 2
    with torch.no_grad():
        quantizer.assignment.add_(5 * torch.nn.functional.one_hot(choice, 4).T)
    assert [name for name, _ in quantizer.named_parameters()] == ["ranges", "assignment"]
    assert quantizer.parameter_group("assignment") == "assignment"
    quantizer.harden()
    assert [name for name, _ in quantizer.named_parameters()] == ["ranges"]
    assert torch.equal(quantizer.ranges.detach()[quantizer.group], ranges[choice])
    assert quantizer.describe() | {"bits": 4} == {"quantizer": "learned range, full wave", "bits": 4, "groups": 3,
                                                  "granularity": "learned groups", "dynamic": False}
    one_hot = sum(quantizer.shares[g] * quantizer(tensor) for g in range(3))
    torch.testing.assert_close(one_hot, quantizer(tensor))


def test_a_loaded_assignment_is_used(tensor: Tensor) -> None:
    first, second = grouped_range(12, 4), grouped_range(12, 4)
    first.divide(torch.linspace(0.5, 3, 12), 4)
    second.divide(torch.linspace(0.5, 3, 12).flip(0), 4)
    assert not torch.equal(first(tensor), second(tensor))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(tensor), second(tensor))


@pytest.mark.parametrize("compat", [False, True])
def test_a_learned_centre_and_half_width(tensor: Tensor, compat: bool) -> None:
    quantizer = CentredRange(CentreOptions(compat_code_step=compat), 3)
    quantizer.initialise(tensor / 2)
    assert quantizer.half_width.tolist() == [float(tensor.abs().max() / 2)]
    with torch.no_grad():
        quantizer.centre.fill_(0.4)
        quantizer.half_width.fill_(1.3)
    x, y = tensor.clone().requires_grad_(), tensor.clone().requires_grad_()
    c, d = torch.tensor(0.4, requires_grad=True), torch.tensor(1.3, requires_grad=True)
    clipped = 0.5 * ((-y + c - d).abs() - (y - (c + d)).abs() + 2 * c)
    expected = Round.apply(clipped, d.detach() / (7 if compat else 3))
    given, upstream = quantizer(x), torch.randn_like(tensor)
    torch.testing.assert_close(given, expected)
    assert len(given.unique()) <= 2 ** quantizer.describe()["bits"]
    given.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(quantizer.centre.grad, c.grad[None])
    torch.testing.assert_close(quantizer.half_width.grad, d.grad[None])


def test_the_half_width_starts_at_eight_at_most() -> None:
    quantizer = CentredRange(CentreOptions(), 8)
    quantizer.initialise(torch.tensor([-30.0, 2.0]))
    assert (quantizer.half_width.tolist(), quantizer.centre.tolist()) == ([8], [0])


def test_sites_and_bits_that_do_not_fit_are_said() -> None:
    weight = Site("a.weight", "a", "weight", "fc1", 0, Layout(("out", "in"), (4, 4), -2))
    with pytest.raises(QuantizationError, match="is a weight"):
        quantformer_groups(GroupsOptions(), weight, 4)
    with pytest.raises(QuantizationError, match="no weight"):
        quantformer_weight(ThresholdOptions(), input_site(4), 4)
    with pytest.raises(QuantizationError, match="no positive level"):
        quantformer_groups(GroupsOptions(), input_site(4), 1)
    with pytest.raises(QuantizationError, match="fixed number of channels"):
        quantformer_groups(GroupsOptions(groups=8), input_site(None), 4)
    with pytest.raises(QuantizationError, match="centre"):
        CentredRange(CentreOptions(), 1)
    assert quantformer_groups(GroupsOptions(), input_site(4, "fc2"), 1).levels == 1
