"""The uniform quantizer against a scalar loop, and what every quantizer promises."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness import HeadSplit, Layout, Partition, QuantizationError, Uniform, affine_parameters, integer_limits

SCHEMES = ("symmetric", "unsigned", "asymmetric")
LAYOUT = Layout(("out", "in"), (12, 5), -2, HeadSplit(-2, 2, 3))
GRANULARITIES = ("tensor", "channel", "head", "module", "module_head")


def _calibrated(values: Tensor, granularity: str, bits: int | list[int], scheme: str) -> Uniform:
    quantizer = Uniform(LAYOUT.partition(granularity), bits, scheme)  # type: ignore[arg-type]
    quantizer.set_range(quantizer.partition.reduce(values, "amin"), quantizer.partition.reduce(values, "amax"))
    return quantizer


def _slowly(values: Tensor, slot_of: Tensor, bits: list[int], scheme: str) -> list[float]:
    """One element at a time, parameters from the definition, in Python's doubles."""
    flat, slots, result = values.reshape(-1).tolist(), slot_of.reshape(-1).tolist(), []
    for value, slot in zip(flat, slots, strict=True):
        members = [v for v, s in zip(flat, slots, strict=True) if s == slot]
        low, high, zero = 0, 2 ** bits[slot] - 1, 0
        bottom, top = min(0.0, *members, 0.0), max(0.0, *members, 0.0)
        if scheme == "symmetric":
            low, high = -(2 ** (bits[slot] - 1)), 2 ** (bits[slot] - 1) - 1
            scale = max(-bottom, top) / high
        elif scheme == "unsigned":
            scale = top / high
        else:
            scale = (top - bottom) / high
        scale = scale or 1.0
        if scheme == "asymmetric":
            zero = min(max(round(-bottom / scale), low), high)
        result.append(scale * (min(max(round(value / scale) + zero, low), high) - zero))
    return result


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_against_a_scalar_loop(granularity: str, bits: int, scheme: str) -> None:
    values = torch.randn(12, 5, generator=torch.Generator().manual_seed(bits), dtype=torch.float64) * 3 + 0.7
    quantizer = _calibrated(values, granularity, bits, scheme).double()
    quantizer.set_range(quantizer.partition.reduce(values, "amin"), quantizer.partition.reduce(values, "amax"))
    index = quantizer.partition.index.expand(12, 5)
    expected = torch.tensor(_slowly(values, index, [bits] * quantizer.partition.slots, scheme), dtype=torch.float64)
    torch.testing.assert_close(quantizer(values).reshape(-1), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bits_for_each_slot(scheme: str) -> None:
    values = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    bits = [2, 3, 4, 5, 6, 8]
    quantizer = _calibrated(values, "module_head", bits, scheme)
    index = quantizer.partition.index.expand(12, 5)
    torch.testing.assert_close(quantizer(values).reshape(-1), torch.tensor(_slowly(values, index, bits, scheme)))
    assert quantizer.describe()["bits"] == bits
    assert quantizer.mean_bits == pytest.approx(28 / 6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), bits=st.integers(2, 8), scheme=st.sampled_from(SCHEMES),
       granularity=st.sampled_from(GRANULARITIES), spread=st.floats(1e-6, 1e6), shift=st.floats(-3, 3))
def test_idempotent_and_at_most_two_to_the_bits_values(seed, bits, scheme, granularity, spread, shift) -> None:
    values = (torch.randn(12, 5, generator=torch.Generator().manual_seed(seed)) + shift) * spread
    quantizer = _calibrated(values, granularity, bits, scheme)
    wide = torch.cat([values * factor for factor in (-2.0, 0.3, 1.0, 1.7)], dim=1)  # also outside of the range
    once = quantizer(wide)
    assert torch.equal(quantizer(once), once)
    for slot in range(quantizer.partition.slots):
        members = once[quantizer.partition.index.expand(12, 1).reshape(-1) == slot]
        assert len(members.unique()) <= 2**bits


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("constant", [0.3, -0.7, 1e-20, 12345.678, 0.0])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_constant_slots(scheme: str, constant: float, bits: int) -> None:
    values = torch.full((12, 5), constant)
    kept = _calibrated(values, "channel", bits, scheme)(values)
    expected = torch.zeros_like(values) if scheme == "unsigned" and constant < 0 else values
    torch.testing.assert_close(kept, expected, rtol=3e-7, atol=0)


def _affine(lower: float, upper: float, bits: int) -> tuple[Tensor, Tensor]:
    return affine_parameters(torch.tensor([lower]), torch.tensor([upper]), torch.tensor([bits]), "asymmetric")


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_zero_is_exact_and_the_zero_point_is_an_integer_within_the_limits(bits: int) -> None:
    for lower, upper in [(-1.0, 2.3), (0.4, 2.0), (-3.0, -0.1), (-1e-9, 1.0), (-1.0, 1e-9), (0.0, 0.0)]:
        scale, zero = _affine(lower, upper, bits)
        assert 0 <= zero.item() <= 2**bits - 1
        assert zero.item() == int(zero.item())
        quantizer = Uniform(Partition.tensor(), bits)
        quantizer.set_range(torch.tensor([lower]), torch.tensor([upper]))
        assert quantizer(torch.zeros(3)).tolist() == [0.0] * 3
        assert quantizer.limits()[0].item() == -zero.item()
        assert scale.item() > 0
    assert _affine(0.4, 2.0, bits)[1] == 0
    assert _affine(-3.0, -0.1, bits)[1] == 2**bits - 1


def test_integer_limits() -> None:
    bits = torch.tensor([2.0, 3.0, 8.0])
    assert [v.tolist() for v in integer_limits(bits, "symmetric")] == [[-2, -4, -128], [1, 3, 127]]
    assert [v.tolist() for v in integer_limits(bits, "asymmetric")] == [[0, 0, 0], [3, 7, 255]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_range_that_is_not_finite_is_an_error(bad: float) -> None:
    quantizer = Uniform(Partition.tensor(), 8)
    for lower, upper in ((bad, 1.0), (0.0, bad)):
        with pytest.raises(QuantizationError, match="NaN or infinity"):
            quantizer.set_range(torch.tensor([lower]), torch.tensor([upper]))
    assert quantizer.scale.item() == 1  # and nothing was set


#: LSQ, 3 bits signed, scale 0.25 (Esser et al. 2020, eq. 3): value, quantized, gradient to the scale.
LSQ = [(-3, -1, -4), (-0.8, -0.75, 0.2), (-0.3, -0.25, 0.2), (0, 0, 0), (0.12, 0, -0.48), (0.3, 0.25, -0.2),
       (0.55, 0.5, -0.2), (2, 0.75, 3)]


def test_gradients_are_those_of_lsq() -> None:
    quantizer = Uniform(Partition.tensor(), 3, "symmetric")
    quantizer.scale = torch.nn.Parameter(torch.tensor([0.25]))
    for value, expected, to_scale in LSQ:
        quantizer.scale.grad = None
        x = torch.tensor([float(value)], requires_grad=True)
        quantized = quantizer(x)
        quantized.backward()
        assert quantized.item() == expected
        assert quantizer.scale.grad.item() == pytest.approx(to_scale, abs=1e-5)
        assert x.grad.item() == (1 if -1 <= value <= 0.75 else 0)


def test_values_on_the_limits_are_inside() -> None:
    """Exact zeros (after a ReLU, say) are on the limit of an unsigned quantizer, and must still learn."""
    quantizer = Uniform(Partition.tensor(), 2, "unsigned")
    quantizer.scale = torch.nn.Parameter(torch.tensor([0.5]))
    x = torch.tensor([0.0, 1.5], requires_grad=True)
    quantizer(x).sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert quantizer.scale.grad.item() == 0


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_gradient_of_the_scale_is_that_of_the_frozen_rounding(granularity: str) -> None:
    """Numerical check: with the rounding error ``round(v) - v`` held fixed the quantizer is smooth."""
    values = torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    quantizer = _calibrated(values * 0.6, granularity, 3, "asymmetric").double()  # some values lie outside
    quantizer.scale.requires_grad_(True)
    weights = torch.randn(12, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (quantizer(values) * weights).sum().backward()
    low, high = (quantizer.partition.spread(limit) for limit in quantizer.limits())
    at = quantizer.scale.detach()
    levels = values / quantizer.partition.spread(at)
    inside = (levels >= low) & (levels <= high)
    error = levels.round() - levels

    def smooth(scale: Tensor) -> float:
        spread = quantizer.partition.spread(scale)
        smoothed = torch.where(inside, values + error * spread, levels.clamp(low, high) * spread)
        return (smoothed * weights).sum().item()

    for slot in range(len(at)):
        step = torch.zeros_like(at)
        step[slot] = 1e-6
        numerical = (smooth(at + step) - smooth(at - step)) / 2e-6
        assert quantizer.scale.grad[slot].item() == pytest.approx(numerical, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_training_and_evaluation_agree_bitwise(granularity: str, scheme: str, bits: int) -> None:
    values = torch.randn(12, 5, generator=torch.Generator().manual_seed(3)) * 5
    quantizer = _calibrated(values * 0.8, granularity, bits, scheme)
    with torch.no_grad():
        evaluated = quantizer(values)
    trained = quantizer(values.clone().requires_grad_(True))
    assert trained.requires_grad
    assert torch.equal(trained, evaluated)


def test_rounding_is_half_to_even_of_the_true_quotient() -> None:
    """``x * (1 / s)`` would differ: 0.3 * (1 / 0.1) and 0.3 / 0.1 lie on two sides of a half, scaled up."""
    quantizer = Uniform(Partition.tensor(), 8, "symmetric")
    quantizer.scale.data.fill_(0.5)
    halves = torch.tensor([0.25, 0.75, 1.25, -0.25, -0.75])
    assert quantizer(halves).tolist() == [0.0, 1.0, 1.0, 0.0, -1.0]
    generator = torch.Generator().manual_seed(0)
    scales = torch.rand(4096, generator=generator) * 0.1 + 0.01
    edges = (torch.randint(-100, 100, (4096,), generator=generator) + 0.5) * scales
    by_channel = Uniform(Partition.along(torch.arange(4096), -1, "channel"), 8, "symmetric")
    by_channel.scale.data.copy_(scales)
    exact = (edges / scales).round() * scales
    assert torch.equal(by_channel(edges), exact)
    assert not torch.equal((edges * (1 / scales)).round() * scales, exact)
    for scale in scales[:64]:  # one slot has a path of its own
        single = Uniform(Partition.tensor(), 8, "symmetric")
        single.scale.data.fill_(scale)
        edges = (torch.arange(-100, 100) + 0.5) * scale
        assert torch.equal(single(edges), (edges / scale).round() * scale)


def test_the_input_is_left_alone() -> None:
    for partition in (Partition.tensor(), LAYOUT.partition("channel")):
        values = torch.randn(12, 5)
        before = values.clone()
        Uniform(partition, 4)(values)
        assert torch.equal(values, before)


def test_switched_off_it_is_the_identity() -> None:
    quantizer = Uniform(Partition.tensor(), 2)
    quantizer.enabled = False
    values = torch.randn(5)
    assert quantizer(values) is values
    assert quantizer.describe() == {"quantizer": "uniform asymmetric", "bits": 2, "granularity": "tensor",
                                    "groups": 1, "dynamic": False}
