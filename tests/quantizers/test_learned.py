"""The quantizer with a learned scale: what it promises, how its gradient is scaled, and where it may start."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness import (
    HeadSplit,
    Layout,
    LearnedUniform,
    Partition,
    QuantizationError,
    fake_quantize,
    gaussian_scale,
    instrument,
    lsq_scale,
    mse_scale,
)
from harness.quantizers.learned import SMALLEST_SCALE
from harness.testing.tiny_vit import TINY_ADAPTERS, tiny_vit

SCHEMES = ("symmetric", "unsigned")
LAYOUT = Layout(("out", "in"), (12, 5), -2, HeadSplit(-2, 2, 3))
GRANULARITIES = ("tensor", "channel", "head", "module", "module_head")
TENSOR, ROWS = Partition.tensor(), Layout(("out", "in"), (2, 3), -2).partition("channel")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), bits=st.integers(2, 8), scheme=st.sampled_from(SCHEMES), offset=st.booleans(),
       granularity=st.sampled_from(GRANULARITIES), spread=st.floats(1e-3, 1e6), shift=st.floats(-3, 3))
def test_idempotent_and_at_most_two_to_the_bits_values(seed, bits, scheme, offset, granularity, spread, shift) -> None:
    values = (torch.randn(12, 5, generator=torch.Generator().manual_seed(seed)) + shift) * spread
    quantizer = LearnedUniform(LAYOUT.partition(granularity), bits, scheme, offset=offset)
    quantizer.set_scale(*mse_scale(values, bits, scheme, quantizer.partition, offset))
    wide = torch.cat([values * factor for factor in (-2.0, 0.3, 1.0, 1.7)], dim=1)  # also outside of the range
    once = quantizer(wide)
    assert torch.equal(quantizer(once), once)
    for slot in range(quantizer.partition.slots):
        members = once[quantizer.partition.index.expand(12, 1).reshape(-1) == slot]
        assert len(members.unique()) <= 2**bits


def _scale_gradient(tensor: Tensor, partition: Partition, rule: str, bits: int | list[int]) -> Tensor:
    quantizer = LearnedUniform(partition, bits, gradient_scale=rule)  # type: ignore[arg-type]
    quantizer.set_scale(torch.full((partition.slots,), 0.2))
    quantizer(tensor).square().sum().backward()
    return quantizer.scale.grad


@pytest.mark.parametrize(("rule", "factor"), [("l1", 0.377964), ("numel", 0.218218)])
def test_gradient_scales_of_the_papers_vectors(rule: str, factor: float) -> None:
    weight = torch.tensor([0.5, -0.25, 0.25])
    plain = _scale_gradient(weight, TENSOR, "off", 4)
    assert float(_scale_gradient(weight, TENSOR, rule, 4) / plain) == pytest.approx(factor, rel=1e-5)


def test_lsq_gradient_scale_of_a_square_weight() -> None:
    weight = torch.randn(192, 192, generator=torch.Generator().manual_seed(0))
    ratio = _scale_gradient(weight, TENSOR, "numel", 4) / _scale_gradient(weight, TENSOR, "off", 4)
    assert float(ratio) == pytest.approx(0.0019685, rel=1e-4)


def test_gradient_scales_of_each_slot() -> None:
    weight = torch.tensor([[0.5, -0.25, 0.3], [0.1, -0.9, 2.0]])
    plain = _scale_gradient(weight, ROWS, "off", [4, 3])
    numel, l1 = (_scale_gradient(weight, ROWS, rule, [4, 3]) / plain for rule in ("numel", "l1"))
    assert numel.tolist() == pytest.approx([1 / math.sqrt(3 * 7), 1 / math.sqrt(3 * 3)])
    assert l1.tolist() == pytest.approx([1 / math.sqrt(1.05 * 7), 1 / math.sqrt(3.0 * 3)])


def test_a_slot_of_zeros_has_the_gradient_zero() -> None:
    quantizer = LearnedUniform(TENSOR, 4, gradient_scale="l1")
    quantizer(torch.zeros(3)).sum().backward()
    assert quantizer.scale.grad.tolist() == [0]


def test_values_and_gradients_are_those_of_fake_quantize() -> None:
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    quantizer = LearnedUniform(ROWS, [2, 4], "unsigned", offset=True, gradient_scale="off")
    scale, offset = torch.tensor([0.3, 0.1]), torch.tensor([-0.2, 0.4])
    quantizer.set_scale(scale, offset)
    scale.requires_grad_(), offset.requires_grad_()
    expected = fake_quantize(x, scale, torch.zeros(2), torch.tensor([3.0, 15.0]), ROWS, offset=offset)
    found = quantizer(x)
    assert torch.equal(found, expected)
    for a, b in zip(torch.autograd.grad(found.sin().sum(), (x, quantizer.scale, quantizer.offset)),
                    torch.autograd.grad(expected.sin().sum(), (x, scale, offset)), strict=True):
        assert torch.equal(a, b)


def test_a_scale_that_a_step_made_negative_comes_back() -> None:
    quantizer = LearnedUniform(TENSOR, 4)
    with torch.no_grad():
        quantizer.scale.fill_(-0.3)
    x = torch.tensor([0.5, -0.2])
    first = quantizer(x)
    assert quantizer.scale.tolist() == [pytest.approx(SMALLEST_SCALE)]
    second = quantizer(2 * x)  # a graph that waits does not mind
    (first.sum() + second.sum()).backward()
    assert float(quantizer.scale.grad) != 0


def test_state_goes_round_and_disabled_is_the_identity() -> None:
    quantizer, other = (LearnedUniform(ROWS, [2, 4], offset=True) for _ in range(2))
    quantizer.set_scale(torch.tensor([0.3, 0.1]), torch.tensor([0.1, 0.2]))
    other.load_state_dict(quantizer.state_dict())
    x = torch.randn(2, 3)
    assert torch.equal(other(x), quantizer(x))
    other.enabled = False
    assert other(x) is x


def test_it_says_what_it_is() -> None:
    assert LearnedUniform(TENSOR, 4).describe() == {
        "quantizer": "learned symmetric", "bits": 4, "granularity": "tensor", "groups": 1, "dynamic": False}
    mixed = LearnedUniform(ROWS, [2, 4], "unsigned", offset=True)
    assert mixed.describe() == {"quantizer": "learned unsigned with offset", "bits": [2, 4], "granularity": "channel",
                                "groups": 2, "dynamic": False}
    assert mixed.mean_bits == 3
    assert sorted(dict(mixed.named_parameters())) == ["offset", "scale"]


def test_mistakes_are_named() -> None:
    with pytest.raises(QuantizationError, match="1 bits have no positive level"):
        LearnedUniform(TENSOR, 1)
    LearnedUniform(TENSOR, 1, "unsigned")
    with pytest.raises(QuantizationError, match="no offset to set"):
        LearnedUniform(TENSOR, 4).set_scale(torch.ones(1), torch.ones(1))
    for scale, offset in ((math.nan, 0.0), (1.0, math.inf)):
        with pytest.raises(QuantizationError, match="NaN or infinity"):
            LearnedUniform(TENSOR, 4, offset=True).set_scale(torch.tensor([scale]), torch.tensor([offset]))


def test_every_scale_of_a_model_learns() -> None:
    torch.manual_seed(0)
    model = instrument(tiny_vit(), TINY_ADAPTERS)
    for path, site in model.sites.items():
        scheme = "unsigned" if site.operand == "attention" else "symmetric"
        quantizer = LearnedUniform(site.layout.partition("head"), 4, scheme)
        quantizer.scale.data.fill_(0.05)
        model.place(path, quantizer)
    model(torch.randn(2, 3, 16, 16)).logsumexp(-1).sum().backward()
    gradients = {path: quantizer.scale.grad for path, quantizer in model.quantizers.items()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    assert all(gradient.count_nonzero() == len(gradient) for gradient in gradients.values())


def _fixed_point(values: Tensor, bits: int, scheme: str) -> float:
    """Q-ViT's alternation for one slot, as its specification writes it."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if scheme == "symmetric" else (0, 2**bits - 1)
    scale = float(values.abs().max()) / high
    while True:
        codes = (values / scale).clamp(low, high).round()
        before, scale = scale, float((values * codes).sum() / (codes * codes).sum())
        if abs(scale - before) < 1e-5 * before:
            return scale


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_mse_scale_is_the_fixed_point_of_each_slot(bits: int, scheme: str) -> None:
    values = torch.randn(12, 50, generator=torch.Generator().manual_seed(bits), dtype=torch.float64)
    values *= torch.logspace(-1, 1, 12, dtype=torch.float64).reshape(12, 1)
    partition = Layout(("out", "in"), (12, 50), -2).partition("channel")
    found, offset = mse_scale(values, bits, scheme, partition)  # type: ignore[arg-type]
    assert offset is None
    assert found.tolist() == pytest.approx([_fixed_point(row, bits, scheme) for row in values], rel=1e-9)


def test_slots_settle_alone() -> None:
    values = torch.randn(2, 5000, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    values[1].exp_()  # settles long before the other
    together = mse_scale(values, 8, "symmetric", ROWS, offset=True)
    for slot, row in enumerate(values):
        alone = mse_scale(row, 8, "symmetric", TENSOR, offset=True)
        assert [float(each[slot]) for each in together] == pytest.approx([float(each) for each in alone], rel=1e-9)


def test_mse_scale_has_bits_of_each_slot_and_stands_zeros() -> None:
    values = torch.tensor([[0.3, -1.0, 0.7], [0.0, 0.0, 0.0]], dtype=torch.float64)
    found, _ = mse_scale(values, torch.tensor([3.0, 4.0]), "symmetric", ROWS)
    assert found.tolist() == pytest.approx([_fixed_point(values[0], 3, "symmetric"), SMALLEST_SCALE])


def test_an_offset_lowers_the_error_after_gelu() -> None:
    values = torch.nn.functional.gelu(torch.randn(4000, generator=torch.Generator().manual_seed(0)))

    def error(offset: bool) -> float:
        quantizer = LearnedUniform(TENSOR, 3, "unsigned", offset=offset)
        quantizer.set_scale(*mse_scale(values, 3, "unsigned", TENSOR, offset))
        return float((quantizer(values) - values).square().mean().detach())

    assert error(True) < 0.7 * error(False)


def test_an_offset_recovers_a_shifted_grid() -> None:
    codes = torch.arange(16).repeat(3).double()
    scale, offset = mse_scale(0.25 * codes - 0.7, 4, "unsigned", TENSOR, offset=True)
    assert (float(scale), float(offset)) == (pytest.approx(0.25), pytest.approx(-0.7))


def test_starts_of_lsq_and_of_a_gaussian() -> None:
    assert float(lsq_scale(torch.tensor([0.016, -0.016]), 4, "symmetric", TENSOR)) == pytest.approx(0.0120949, rel=1e-5)
    assert float(gaussian_scale(torch.tensor([0.02, -0.02]), 4, TENSOR)) == pytest.approx(0.0075)
    rows = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0]])
    assert lsq_scale(rows, torch.tensor([3.0, 4.0]), "unsigned", ROWS).tolist() == pytest.approx(
        [2 / math.sqrt(7), 2 / math.sqrt(15)])
    for sign in (1, -1):
        assert gaussian_scale(sign * rows, 3, ROWS).tolist() == pytest.approx([1 / 4, (1 + 3 * math.sqrt(2)) / 4])


def test_an_empty_tensor_leaves_the_scale_without_a_gradient_of_nan() -> None:
    """The mask head of a detector sees no regions where a picture has no objects."""
    quantizer = LearnedUniform(Partition.tensor(), 4)
    result = quantizer(torch.zeros(0, 3, requires_grad=True)).sum() + quantizer(torch.ones(2, 3)).sum()
    result.backward()
    assert quantizer.scale.grad is not None
    assert torch.isfinite(quantizer.scale.grad).all()
