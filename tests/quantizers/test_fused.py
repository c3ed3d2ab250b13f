"""Fused fake quantization: the papers' vectors, one element at a time, and what it keeps and accepts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from harness import HeadSplit, Layout, Partition, fake_quantize
from harness.quantizers import fused

PARTITIONS = {
    "tensor": (Partition.tensor(), (4, 5, 6)),
    "first axis of two": (Layout(("out", "in"), (6, 5), -2).partition("channel"), (6, 5)),
    "last axis": (Layout(("token", "channel"), (None, 6), -1).partition("channel"), (4, 5, 6)),
    "heads on an axis": (Layout(("h", "n", "d"), (3, None, 2), -1, HeadSplit(-3, 3)).partition("head"), (4, 3, 5, 2)),
    "heads in channels": (Layout(("channel",), (6,), -1, HeadSplit(-1, 3)).partition("head"), (4, 5, 6)),
    "heads of fused q, k, v": (Layout(("out", "in"), (12, 5), -2, HeadSplit(-2, 2, 3)).partition("head"), (12, 5)),
    "groups of unequal size": (Layout(("channel",), (7,), -1).partition("group", 3), (4, 7)),
    "any assignment": (Partition.along(torch.tensor([2, 0, 1, 0, 2, 2]), -1, "learned"), (3, 6)),
    "two axes": (Partition(torch.arange(6).reshape(2, 3), 6, "block"), (4, 2, 3)),
}


def _slowly(x: Tensor, gradient: Tensor, partition: Partition, s: Tensor, low: Tensor, high: Tensor, o: Tensor
            ) -> tuple[Tensor, ...]:
    """The definition, one element after the other: result, and gradients to x, s, low, high, o."""
    slots = partition.index.expand(x.shape).reshape(-1).tolist()
    result, to_x = torch.empty(x.numel()).double(), torch.empty(x.numel()).double()
    to_s, to_low, to_high, to_o = (torch.zeros(partition.slots).double() for _ in range(4))
    for i, (value, g, k) in enumerate(zip(x.reshape(-1).tolist(), gradient.reshape(-1).tolist(), slots, strict=True)):
        v = (value - o[k].item()) / s[k].item()
        result[i] = s[k] * round(min(max(v, low[k].item()), high[k].item())) + o[k]
        below, above = v < low[k], v > high[k]
        to_x[i] = 0 if below or above else g
        to_s[k] += g * (low[k] if below else high[k] if above else round(v) - v)
        to_low[k] += g * s[k] * bool(below)
        to_high[k] += g * s[k] * bool(above)
        to_o[k] += g * bool(below or above)
    return result.reshape(x.shape), to_x.reshape(x.shape), to_s, to_low, to_high, to_o


@pytest.fixture(params=["whole", "pieces"], autouse=True)
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test, with the tensor as one piece, and as pieces that do not divide it."""
    if request.param == "pieces":
        monkeypatch.setattr(fused, "_PIECE", 31)


@pytest.mark.parametrize("with_offset", [False, True])
@pytest.mark.parametrize("name", PARTITIONS)
def test_against_one_element_at_a_time(name: str, with_offset: bool) -> None:
    partition, shape = PARTITIONS[name]
    generator = torch.Generator().manual_seed(0)

    def drawn(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    x, gradient = drawn(*shape).requires_grad_(), drawn(*shape)
    s = (0.1 + 0.3 * drawn(partition.slots).abs()).requires_grad_()
    high = (2.0 ** torch.arange(partition.slots).double() % 5 + 1).requires_grad_()
    low = (-high.detach() - 1).requires_grad_()
    o = drawn(partition.slots).requires_grad_() if with_offset else None
    found = fake_quantize(x, s, low, high, partition, offset=o)
    inputs = [x, s, low, high] + ([o] if o is not None else [])
    with torch.no_grad():
        expected, *gradients = _slowly(x, gradient, partition, s, low, high, torch.zeros_like(s) if o is None else o)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for each, right in zip(torch.autograd.grad(found, inputs, gradient), gradients, strict=False):
        torch.testing.assert_close(each, right, rtol=0, atol=1e-12)


def test_vectors_of_qvit() -> None:
    x = torch.tensor([-3, -0.8, -0.3, 0, 0.12, 0.3, 0.55, 2], dtype=torch.float64)
    bits, scale = torch.tensor([[3.0], [0.25]], dtype=torch.float64).requires_grad_()
    half = 2 ** (bits - 1)
    found = fake_quantize(x, scale, -half, half - 1, Partition.tensor())
    assert found.tolist() == [-1, -0.75, -0.25, 0, 0, 0.25, 0.5, 0.75]
    each = [torch.autograd.grad(value, (scale, bits), retain_graph=True) for value in found]
    assert [float(to_scale) for to_scale, _ in each] == pytest.approx([-4, 0.2, 0.2, 0, -0.48, -0.2, -0.2, 3])
    slope = 0.25 * math.log(2) * 4
    assert [float(to_bits) for _, to_bits in each] == pytest.approx([-slope, 0, 0, 0, 0, 0, 0, slope], abs=0)


def test_vector_of_qvit_unsigned() -> None:
    bits = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    found = fake_quantize(torch.tensor([9.0, -9.0]), torch.tensor([0.25]), torch.zeros(1), 2 ** bits - 1,
                          Partition.tensor())
    assert found.tolist() == [1.75, 0]
    found.sum().backward()
    assert float(bits.grad) == pytest.approx(0.25 * math.log(2) * 8)


def test_the_offset_itself_is_a_level() -> None:
    x = torch.tensor([-0.17])
    found = fake_quantize(x, torch.tensor([0.3]), torch.zeros(1), torch.full((1,), 15.0), Partition.tensor(), offset=x)
    assert torch.equal(found, x)


def test_both_limits_are_inside() -> None:
    x = torch.tensor([-2.0, 1.5, -2.5, 2.0], requires_grad=True)
    limits = torch.tensor([-4.0]), torch.tensor([3.0])
    fake_quantize(x, torch.tensor([0.5]), *limits, Partition.tensor()).sum().backward()
    assert x.grad.tolist() == [1, 1, 0, 0]


def test_limits_between_integers_and_limits_that_meet() -> None:
    x = torch.tensor([-3.0, 0.2, 1.5, 3.0], requires_grad=True)
    low, high = (torch.tensor([limit], requires_grad=True) for limit in (-2.3, 1.7))
    found = fake_quantize(x, torch.tensor([0.5]), low, high, Partition.tensor())
    assert found.tolist() == [-1, 0, 1, 1]
    found.sum().backward()
    assert (x.grad.tolist(), float(low.grad), float(high.grad)) == ([0, 1, 0, 0], 0.5, 1)
    met = torch.zeros(1, requires_grad=True)
    fake_quantize(x, torch.tensor([0.5]), torch.zeros(1), met, Partition.tensor()).sum().backward()
    assert float(met.grad) == 1.5


def test_rounds_half_to_even_after_dividing() -> None:
    limits = torch.tensor([-8.0]), torch.tensor([7.0])
    halves = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5])
    assert fake_quantize(halves, torch.ones(1), *limits, Partition.tensor()).tolist() == [0, 2, 2, 0, -2]
    # Ties that multiplying by the reciprocal would miss.
    scale = torch.tensor([0.6])
    ties = torch.arange(-15, 15, 2).float() * scale / 2
    by_division = (ties / scale).round() * scale
    assert not torch.equal((ties * (1 / scale)).round() * scale, by_division)
    assert torch.equal(fake_quantize(ties, scale, *limits, Partition.tensor()), by_division)


def test_the_factor_multiplies_the_scale_s_gradient_alone() -> None:
    partition, shape = PARTITIONS["heads on an axis"]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
    scale, offset = torch.full((3,), 0.3, requires_grad=True), torch.zeros(3, requires_grad=True)
    low, high = torch.full((3,), -2.0, requires_grad=True), torch.full((3,), 1.0, requires_grad=True)
    inputs = (x, scale, low, high, offset)

    def gradients(factor: float | Tensor) -> tuple[Tensor, ...]:
        found = fake_quantize(x, scale, low, high, partition, offset=offset, gradient_factor=factor)
        return torch.autograd.grad(found.sin().sum(), inputs)

    plain, each = gradients(1.0), torch.tensor([0.5, 2.0, 3.0])
    for factor in (0.25, each):
        to_x, to_scale, *others = gradients(factor)
        assert torch.equal(to_scale, plain[1] * factor)
        assert all(torch.equal(a, b) for a, b in zip((to_x, *others), (plain[0], *plain[2:]), strict=True))


def test_the_graph_keeps_the_inputs_alone() -> None:
    x, scale = torch.randn(4, 6, requires_grad=True), torch.tensor([0.3], requires_grad=True)
    low, high = torch.tensor([-8.0]), torch.tensor([7.0])
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        fake_quantize(x, scale, low, high, Partition.tensor())
    assert sorted(kept) == sorted(tensor.data_ptr() for tensor in (x, scale, low, high))


def test_only_the_gradients_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, scale = torch.randn(4, 6), torch.tensor([0.3])
    low, high = torch.tensor([-8.0]), torch.tensor([7.0])
    sums: list[Tensor] = []
    monkeypatch.setattr(fused._Grid, "sum", lambda self, values: sums.append(values) or values.sum().reshape(1))
    assert not fake_quantize(x, scale, low, high, Partition.tensor()).requires_grad
    alone = x.clone().requires_grad_()
    fake_quantize(alone, scale, low, high, Partition.tensor()).sum().backward()
    assert not sums
    learned = scale.clone().requires_grad_()
    fake_quantize(x, learned, low, high, Partition.tensor()).sum().backward()
    assert sums
    assert learned.grad is not None


def test_pieces_are_as_large_as_the_cache_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "_PIECE", 31)
    sizes: list[int] = []
    clip = fused._Grid.clip
    monkeypatch.setattr(fused._Grid, "clip",
                        lambda self, units, out: sizes.append(len(units)) or clip(self, units, out))
    limits = torch.tensor([-8.0]), torch.tensor([7.0])
    fake_quantize(torch.randn(5, 3, 4), torch.ones(1), *limits, Partition.tensor())
    fake_quantize(torch.randn(2, 40), torch.ones(1), *limits, Partition.tensor())
    assert sizes == [2, 2, 1, 1, 1]


def test_any_strides() -> None:
    partition = PARTITIONS["heads on an axis"][0]
    base = torch.randn(4, 5, 3, 3, 2, dtype=torch.float64).permute(2, 0, 3, 1, 4)  # as q, k and v lie in memory
    scale = torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64, requires_grad=True)
    limits = torch.full((3,), -2.0).double(), torch.full((3,), 1.0).double()
    strided, packed = (t.requires_grad_() for t in (base[1].detach(), base[1].contiguous()))
    assert not strided.is_contiguous()
    first, second = (fake_quantize(t, scale, *limits, partition) for t in (strided, packed))
    assert first.is_contiguous()
    assert torch.equal(first, second)
    gradient = torch.randn(4, 3, 2, 5, dtype=torch.float64).transpose(-2, -1)
    for a, b in zip(torch.autograd.grad(first, (strided, scale), gradient),
                    torch.autograd.grad(second, (packed, scale), gradient.contiguous()), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)
    expanded = fake_quantize(packed, scale, *limits, partition).sum()
    ones = fake_quantize(packed, scale, *limits, partition)
    torch.testing.assert_close(torch.autograd.grad(expanded, packed),
                               torch.autograd.grad(ones, packed, torch.ones_like(ones)), rtol=0, atol=0)


def test_half_precision_is_computed_in_the_scale_s() -> None:
    x = torch.randn(3, 7, generator=torch.Generator().manual_seed(2)).bfloat16().requires_grad_()
    wide = x.detach().float().requires_grad_()
    scale = torch.tensor([0.3], requires_grad=True)
    limits = torch.tensor([-2.0]), torch.tensor([1.0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fake_quantize(x, scale, *limits, Partition.tensor())
    expected = fake_quantize(wide, scale, *limits, Partition.tensor())
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected.bfloat16())
    gradient = torch.randn(3, 7).bfloat16()
    to_x, to_scale = torch.autograd.grad(found, (x, scale), gradient)
    to_wide, expected_scale = torch.autograd.grad(expected, (wide, scale), gradient.float())
    assert to_x.dtype == torch.bfloat16
    assert to_scale.dtype == torch.float32
    assert torch.equal(to_x, to_wide.bfloat16())
    assert torch.equal(to_scale, expected_scale)


@pytest.mark.parametrize("shape", [(), (0, 4), (1,)])
def test_scalars_and_empty_batches(shape: tuple[int, ...]) -> None:
    x, scale = torch.full(shape, 0.7, requires_grad=True), torch.tensor([0.5], requires_grad=True)
    found = fake_quantize(x, scale, torch.tensor([-2.0]), torch.tensor([3.0]), Partition.tensor())
    assert found.shape == x.shape
    assert found.reshape(-1).tolist() == [0.5] * x.numel()
    found.sum().backward()
    assert x.grad.shape == x.shape
    assert float(scale.grad) == pytest.approx(0 if x.numel() == 0 else -0.4)


def test_nan_stays_visible() -> None:
    found = fake_quantize(torch.tensor([math.nan, 1.0]), torch.ones(1), torch.tensor([-2.0]), torch.tensor([1.0]),
                          Partition.tensor())
    assert found[0].isnan()
    assert found[1] == 1


def test_the_same_bits_every_time() -> None:
    partition, _ = PARTITIONS["heads in channels"]
    x, scale = torch.randn(64, 50, 6, requires_grad=True), torch.full((3,), 0.3, requires_grad=True)
    limits = torch.full((3,), -8.0), torch.full((3,), 7.0)

    def step() -> tuple[Tensor, ...]:
        return torch.autograd.grad(fake_quantize(x, scale, *limits, partition).sin().sum(), (x, scale))

    first = step()
    assert all(torch.equal(a, b) for _ in range(3) for a, b in zip(first, step(), strict=True))
