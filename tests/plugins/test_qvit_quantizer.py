"""Q-ViT's quantizer against the numbers of its equations."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from harness import HeadSplit, Layout, Partition, QuantizationError, Site
from harness_plugins.qvit.options import SwitchableOptions
from harness_plugins.qvit.quantizer import Switchable

X = [-3, -.8, -.3, 0, .12, .3, .55, 2]


def one(bits: int, scale: float = .25, scheme: str = "symmetric", offset: float | None = None,
        **given: Any) -> Switchable:
    """One slot; the same scale and offset at every bit-width."""
    quantizer = Switchable(Partition.tensor(), Partition.tensor(), bits, scheme,  # type: ignore[arg-type]
                           offset=offset is not None, **given)
    with torch.no_grad():
        quantizer.scales.fill_(scale)
        if quantizer.offsets is not None:
            quantizer.offsets.fill_(offset or 0.0)
    return quantizer


def heads(per_head: bool = False, bits: int = 4, count: int = 3, **given: Any) -> Switchable:
    """Slots along the first of two axes."""
    partition = Partition.along(torch.arange(count), -2, "head")
    return Switchable(partition, partition if per_head else Partition.tensor(), bits, **given)


def gradients(quantizer: Switchable, value: float) -> dict[str, Tensor]:
    """Gradients of the quantized value to all parameters; the factor g = 1 / sqrt(q_max) of one element taken off."""
    quantizer.zero_grad()
    x = torch.tensor([float(value)], requires_grad=True)
    quantizer(x).sum().backward()
    assert x.grad is not None
    high = quantizer.limits()[1].detach()
    found = {name: parameter.grad for name, parameter in quantizer.named_parameters() if parameter.grad is not None}
    return found | {"x": x.grad, "scales": found["scales"] * high.sqrt()}


@pytest.mark.parametrize(("learned", "bits"), [(2.4, 2), (2.6, 3), (9.7, 8), (1.2, 2), (4.5, 4), (5.5, 6)])
def test_eq_7_bits_are_clamped_and_rounded_half_to_even(learned: float, bits: int) -> None:
    quantizer = one(4)
    quantizer.float_bits.data.fill_(learned)
    quantizer(torch.tensor([1.0]))
    assert quantizer.bits.tolist() == [bits]
    assert quantizer.describe()["bits"] == bits


def test_eq_8_signed() -> None:
    quantizer = one(3)
    assert quantizer(torch.tensor(X)).tolist() == [-1, -.75, -.25, 0, 0, .25, .5, .75]
    slopes = [float(gradients(quantizer, value)["scales"].sum()) for value in X]
    assert slopes == pytest.approx([-4, .2, .2, 0, -.48, -.2, -.2, 3], abs=1e-5)
    assert [float(gradients(quantizer, value)["x"]) for value in X] == [0, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("scheme", "value", "slope"), [
    ("symmetric", 2, .25 * math.log(2) * 4), ("symmetric", -3, -.25 * math.log(2) * 4), ("symmetric", .3, 0),
    ("unsigned", 9, .25 * math.log(2) * 8), ("unsigned", -1, 0), ("unsigned", .3, 0)])
def test_gradient_of_the_bits_comes_through_the_limits(scheme: str, value: float, slope: float) -> None:
    found = gradients(one(3, scheme=scheme), value)["float_bits"]
    assert float(found) == pytest.approx(slope, abs=1e-6)


def test_the_projection_never_masks_the_gradient_of_the_bits() -> None:
    quantizer = one(8)
    quantizer.float_bits.data.fill_(9.7)
    found = gradients(quantizer, 1000.0)["float_bits"]
    assert quantizer.float_bits.tolist() == [8]
    assert float(found) == pytest.approx(.25 * math.log(2) * 128)


@pytest.mark.parametrize(("quantizer", "shape", "factor"), [
    (one(4), (192, 192), 1 / math.sqrt(192 * 192 * 7)),
    (heads(), (3, 100), 1 / math.sqrt(100 * 7)),
    (one(4, scheme="unsigned"), (10, 10), 1 / math.sqrt(100 * 15))])
def test_gradient_factor_of_the_scale(quantizer: Switchable, shape: tuple[int, ...], factor: float) -> None:
    """Head-wise, N is the number of elements of a head."""
    quantizer.scales.data.fill_(.25)
    quantizer(torch.full(shape, .25 * 1.3)).sum().backward()
    assert quantizer.scales.grad is not None
    expected = (1 - 1.3) * math.prod(shape) * factor
    assert float(quantizer.scales.grad[2].sum()) == pytest.approx(expected, rel=1e-4)


def test_the_factor_of_the_paper_s_example() -> None:
    assert 1 / math.sqrt(192 * 192 * 7) == pytest.approx(0.0019685, rel=1e-4)


def test_only_the_scale_of_the_present_bits_takes_part() -> None:
    quantizer = one(4)
    with torch.no_grad():
        quantizer.scales.copy_(torch.arange(1, 8)[:, None] / 10)
    before = quantizer.scales.detach().clone()
    quantizer.set_bits([0], 5)
    assert quantizer.scale.tolist() == pytest.approx([.4])
    optimizer = torch.optim.AdamW(quantizer.parameters(), lr=.01, weight_decay=0)
    quantizer(torch.randn(100)).square().sum().backward()
    assert quantizer.scales.grad is not None
    assert (quantizer.scales.grad != 0).flatten().tolist() == [False, False, False, True, False, False, False]
    optimizer.step()
    assert (quantizer.scales != before).flatten().tolist() == [False, False, False, True, False, False, False]


def test_without_the_switch_all_bit_widths_share_a_scale() -> None:
    quantizer = one(4, switchable=False)
    assert quantizer.scales.shape == (1, 1)
    quantizer.set_bits([0], 7)
    assert quantizer.scale.tolist() == [.25]
    assert quantizer.limits()[1].item() == 63


def test_offset_of_gelu() -> None:
    """-0.17 is about GELU's minimum: with it as the offset it is exact at any scale."""
    for scale in (.01, .3, 5):
        quantizer = one(4, scale, "unsigned", -.17)
        assert quantizer(torch.tensor([-.17])).tolist() == pytest.approx([-.17])
    inside, below = (gradients(one(3, scheme="unsigned", offset=-.17), value)["offsets"] for value in (.3, -2))
    assert inside.flatten().tolist() == [0] * 7
    assert below.flatten().tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_heads_have_bits_of_their_own_and_share_the_scale_of_their_bits() -> None:
    quantizer = heads()
    with torch.no_grad():
        quantizer.scales.copy_(torch.tensor([1, .5, .25, .125, .1, .05, .02])[:, None])
    quantizer.float_bits.data.copy_(torch.tensor([2., 4., 2.2]))
    assert quantizer.scale.tolist() == [1, .25, 1]
    quantized = quantizer(torch.full((3, 1), 1.6))
    assert quantized.flatten().tolist() == [1, 1.5, 1]
    assert quantizer.describe() == {"quantizer": "switchable symmetric", "bits": [2, 4, 2], "granularity": "head",
                                    "groups": 3, "dynamic": False}
    quantized[0].sum().backward()
    assert quantizer.float_bits.grad is not None
    assert quantizer.float_bits.grad.ne(0).tolist() == [True, False, False]
    assert heads(per_head=True).scales.shape == (7, 3)


def reference_start(x: list[float], bits: int, signed: bool) -> float:
    """The official code's alternation, with numbers."""
    low, high = (-2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2 ** bits - 1)
    scale = max(map(abs, x)) / high
    while True:
        codes = [min(max(round(value / scale), low), high) for value in x]
        found = sum(v * q for v, q in zip(x, codes, strict=True)) / sum(q * q for q in codes)
        if abs(found - scale) < 1e-5 * scale:
            return found
        scale = found


@pytest.mark.parametrize("scheme", ["symmetric", "unsigned"])
def test_mse_start_of_every_bit_width(scheme: str) -> None:
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(0)).double()
    x = x.abs() if scheme == "unsigned" else x
    quantizer = heads(per_head=True, count=2, scheme=scheme).double()
    quantizer.initialise(x, "mse")
    for row, bits in enumerate(range(2, 9)):
        expected = [reference_start(values, bits, scheme == "symmetric") for values in x.tolist()]
        assert quantizer.scales[row].tolist() == pytest.approx(expected, rel=1e-4)
    shared = heads(count=2, scheme=scheme).double()
    shared.initialise(x, "mse")
    expected = [reference_start(x.flatten().tolist(), 4, scheme == "symmetric")]
    assert shared.scales[2].tolist() == pytest.approx(expected, rel=1e-4)


def test_start_with_an_offset_fits_gelu_at_every_bit_width() -> None:
    values = torch.nn.functional.gelu(torch.randn(5000, generator=torch.Generator().manual_seed(0)))
    quantizer = one(4, scheme="unsigned", offset=0.0)
    quantizer.initialise(values, "mse")
    errors = []
    for bits in range(2, 9):
        quantizer.set_bits([0], bits)
        errors.append(float((quantizer(values) - values).square().mean().detach()))
        assert quantizer.offset is not None
        assert -.3 < quantizer.offset.item() < .1
    assert all(later < earlier / 2 for earlier, later in pairwise(errors))


def test_a_start_from_very_many_values_is_that_of_a_part() -> None:
    generator = torch.Generator().manual_seed(1)
    many = torch.randn(2**20, generator=generator)
    quantizer, whole = one(4), one(4)
    quantizer.initialise(many, "mse")
    whole.initialise(many[:2**16], "mse")
    assert quantizer.scales.flatten().tolist() == pytest.approx(whole.scales.flatten().tolist(), rel=.05)


def test_bits_outside_of_the_range_are_refused() -> None:
    with pytest.raises(QuantizationError, match="16 bits lie outside of the bit-widths 2 to 8"):
        one(16)
    with pytest.raises(QuantizationError, match="1 bit has no positive level"):
        one(1, learn=False, switchable=False)
    assert one(16, learn=False, switchable=False).describe()["bits"] == 16


def test_parameter_groups() -> None:
    learned, fixed = one(4, offset=0.0), one(4, learn=False)
    assert {name: learned.parameter_group(name) for name, _ in learned.named_parameters()} == {
        "float_bits": "bits", "scales": "scales", "offsets": "scales"}
    assert fixed.parameter_group("float_bits") == ""
    assert not fixed.float_bits.requires_grad


# Where the bits and scales of a site lie.

QKV = Site("a.qkv.weight", "a.qkv", "weight", "qkv", 0, Layout(("out", "in"), (12, 4), -2, HeadSplit(-2, 2, 3)))
PROJ = Site("a.proj.weight", "a.proj", "weight", "proj", 0, Layout(("out", "in"), (4, 4), -2, HeadSplit(-1, 2)))
SEPARATE = Site("a.q.weight", "a.q", "weight", "query", 0, Layout(("out", "in"), (4, 4), -2, HeadSplit(-2, 2)))
FC = Site("a.fc1.weight", "a.fc1", "weight", "fc1", 0, Layout(("out", "in"), (8, 4), -2))


def slots(site: Site, shape: tuple[int, int], **options: Any) -> tuple[list[list[int]], Switchable]:
    """The slot of every element of a weight, and the quantizer."""
    from harness_plugins.qvit.factory import switchable

    quantizer = switchable(SwitchableOptions(**options), site, 4)
    return torch.broadcast_to(quantizer.partition.index, shape).tolist(), quantizer


def test_heads_slice_outputs_of_a_fused_projection() -> None:
    index, quantizer = slots(QKV, (12, 4))
    assert [row[0] for row in index] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert all(len(set(row)) == 1 for row in index)
    assert quantizer.owner.tolist() == [0, 0, 1, 1, 2, 2]  # W_q, W_k and W_v have scales of their own
    assert quantizer.scales.shape == (7, 3)
    assert quantizer.describe()["granularity"] == "module_head"
    _, per_head = slots(QKV, (12, 4), scale_per_head=True)
    assert per_head.owner.tolist() == list(range(6))


def test_heads_slice_inputs_of_the_output_projection() -> None:
    index, quantizer = slots(PROJ, (4, 4))
    assert index == [[0, 0, 1, 1]] * 4
    assert quantizer.scales.shape == (7, 1)
    index, _ = slots(SEPARATE, (4, 4))
    assert [row[0] for row in index] == [0, 0, 1, 1]


def test_layer_wise_bits_still_tell_q_k_and_v_apart() -> None:
    index, quantizer = slots(QKV, (12, 4), granularity="layer")
    assert [row[0] for row in index] == [0] * 4 + [1] * 4 + [2] * 4
    assert quantizer.owner.tolist() == [0, 1, 2]
    assert slots(PROJ, (4, 4), granularity="layer")[1].describe()["granularity"] == "tensor"
    assert slots(FC, (8, 4))[1].describe()["granularity"] == "tensor"


def test_the_official_codes_axes() -> None:
    """It views (out, in) as (Cin, heads, Cout / heads): the heads of W_q lie along the inputs, of W_o the outputs."""
    weight = torch.arange(16).reshape(4, 4)
    viewed = torch.zeros(4, 2, 2, dtype=torch.int64)
    viewed[:, 1] = 1
    expected = viewed.reshape(weight.shape).tolist()
    index, quantizer = slots(QKV, (12, 4), compat_head_axis=True)
    assert index == [[2 * part + head for head in row] for part in range(3) for row in expected]
    assert quantizer.owner.tolist() == [0, 0, 1, 1, 2, 2]
    assert slots(SEPARATE, (4, 4), compat_head_axis=True)[0] == expected
    assert slots(PROJ, (4, 4), compat_head_axis=True)[0] == [[0] * 4, [0] * 4, [1] * 4, [1] * 4]


def test_a_compat_weight_starts_and_quantizes() -> None:
    _, quantizer = slots(QKV, (12, 4), compat_head_axis=True)
    weight = torch.randn(12, 4, requires_grad=True)
    quantizer.initialise(weight.detach(), "mse")
    quantizer(weight).sum().backward()
    assert quantizer.scales.grad is not None
    assert weight.grad is not None
