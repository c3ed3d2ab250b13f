"""Bit-Split and Stitching: planes, monotone errors, and slow references of every step."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from baseline_cases import case, context_of, linear_net, run_method
from torch import Tensor

from harness import Histogram, Partition, QuantizationError, Uniform
from harness_plugins.bitsplit.activation import set_scale
from harness_plugins.bitsplit.planes import fwa, ofwa, split, stitch
from harness_plugins.bitsplit.quantizer import Stitched
from harness_plugins.bitsplit.response import ofwa_rr, response_statistics
from harness_plugins.bitsplit.slots import Rows


def rows_of(count: int, bits: int | list[int]) -> Rows:
    each = [bits] * count if isinstance(bits, int) else bits
    return Rows(torch.arange(count), torch.tensor(each, dtype=torch.float64))


def weights(rows: int = 6, inner: int = 40, seed: int = 0) -> Tensor:
    return torch.randn(rows, inner, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_planes_reproduce_every_integer(bits: int) -> None:
    largest = 2 ** (bits - 1) - 1
    integers = torch.arange(-largest, largest + 1, dtype=torch.float64)[None]
    planes = split(integers, rows_of(1, bits))
    assert planes.shape == (bits - 1, 1, 2 * largest + 1)
    assert set(planes.unique().tolist()) == {-1., 0., 1.}
    assert torch.equal(stitch(planes) * 2 ** (bits - 2), integers)


def test_planes_with_bits_of_each_row() -> None:
    integers = torch.tensor([[3., -2., 1.], [31., -17., 1.]], dtype=torch.float64)
    planes = split(integers, rows_of(2, [3, 6]))
    assert bool((planes[2:, 0] == 0).all())
    assert torch.equal(stitch(planes) * torch.tensor([[2.], [16.]]).double(), integers)


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_fwa_is_a_fixed_point_and_beats_the_full_range(bits: int) -> None:
    weight, rows, largest = weights(), rows_of(6, bits), 2 ** (bits - 1) - 1
    integers, step = fwa(weight, rows)
    assert float(integers.abs().max()) <= largest
    torch.testing.assert_close(step, (weight * integers).sum(1) / integers.square().sum(1))
    torch.testing.assert_close(integers, (weight / step[:, None]).round().clamp(-largest, largest))
    full = weight.abs().amax(1, keepdim=True) / largest
    assert bool(((weight - step[:, None] * integers).square().sum(1)
                 <= (weight - full * (weight / full).round()).square().sum(1)).all())


def test_a_row_of_zeros_has_step_one() -> None:
    integers, step = fwa(torch.zeros(1, 5, dtype=torch.float64), rows_of(1, 4))
    assert float(step) == 1
    assert bool((integers == 0).all())


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_ofwa_is_never_worse_than_fwa_and_keeps_its_range(bits: int) -> None:
    weight, rows = weights(20, 25), rows_of(20, bits)
    integers, step = fwa(weight, rows)
    unit = 2 ** (bits - 2)
    planes, alpha = ofwa(weight, split(integers, rows), step * unit, rows)
    before = (weight - step[:, None] * integers).square().sum(1)
    after = (weight - alpha[:, None] * stitch(planes)).square().sum(1)
    assert bool((after <= before + 1e-12).all())
    assert float((stitch(planes) * unit).abs().max()) <= 2 ** (bits - 1) - 1


def test_one_pass_of_ofwa_by_hand() -> None:
    weight, rows = torch.tensor([[.9, -.4, .1, .35]]).double(), rows_of(1, 3)
    start = torch.tensor([[[1., 0., 0., 0.]], [[0., -1., 0., 1.]]]).double()  # 1, -.5, 0, .5
    planes, alpha = ofwa(weight, start, torch.tensor([5.]).double(), rows, epochs=1)
    expected = (.9 + .2 + .175) / 1.5  # <w, q> / <q, q>
    assert float(alpha) == pytest.approx(expected)
    # Plane 0: residual w - alpha * .5 * [0, -1, 0, 1] against alpha / 2 = .425
    assert planes[0].tolist() == [[1., 0., 0., 0.]]
    # Plane 1: residual 2 (w - alpha * [1, 0, 0, 0]) = [.1, -.8, .2, .7] against .425
    assert planes[1].tolist() == [[0., -1., 0., 1.]]


def response_error(outputs: Tensor, inputs: Tensor, planes: Tensor, alpha: Tensor) -> Tensor:
    return (outputs - inputs @ (alpha[:, None] * stitch(planes)).T).square().sum(0)


def slow_sweep(inputs: Tensor, outputs: Tensor, planes: Tensor, alpha: Tensor) -> Tensor:
    """Every plane, column by column and row by row, each by trying all three values."""
    planes = planes.clone()
    for m in range(len(planes)):
        for n in range(planes.shape[2]):
            for row in range(planes.shape[1]):
                errors = {}
                for value in (-1., 0., 1.):
                    planes[m, row, n] = value
                    errors[value] = float(response_error(outputs, inputs, planes, alpha)[row])
                planes[m, row, n] = min(errors, key=lambda value: errors[value])
    return planes


@pytest.mark.parametrize("inner", [7, 70])
def test_one_epoch_of_ofwa_rr_against_trying_every_value(inner: int) -> None:
    weight, rows = weights(3, inner), rows_of(3, 3)
    inputs = weights(90, inner, 1) @ (torch.eye(inner).double() + .3)
    outputs = inputs @ weight.T + .1 * weights(90, 3, 2)
    integers, step = fwa(weight, rows)
    start = split(integers, rows)
    found, alpha = ofwa_rr((inputs.T @ inputs)[None], (outputs.T @ inputs)[None], start, step * 2, rows, epochs=1)
    stitched = inputs @ stitch(start).T
    torch.testing.assert_close(alpha, (outputs * stitched).sum(0) / stitched.square().sum(0))
    assert torch.equal(found, slow_sweep(inputs, outputs, start, alpha))


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_ofwa_rr_is_monotone_and_beats_rounding_on_the_outputs(bits: int) -> None:
    weight, rows, unit = weights(8, 30), rows_of(8, bits), 2 ** (bits - 2)
    inputs = weights(200, 30, 1) @ weights(30, 30, 3)
    outputs = inputs @ weight.T
    integers, step = fwa(weight, rows)
    start = split(integers, rows), step * unit
    errors, kept = [response_error(outputs, inputs, *start)], start[0].clone()
    for epochs in (1, 2, 5, 100):
        found = ofwa_rr((inputs.T @ inputs)[None], (outputs.T @ inputs)[None], *start, rows, epochs)
        errors.append(response_error(outputs, inputs, *found))
    again = ofwa_rr((inputs.T @ inputs)[None], (outputs.T @ inputs)[None], *found, rows, 1)
    assert torch.equal(again[0], found[0])  # settled, and its arguments are not written to
    assert torch.equal(start[0], kept)
    for before, after in pairwise(errors):
        assert bool((after <= before * (1 + 1e-9)).all())
    assert float(errors[-1].sum()) < .8 * float(errors[0].sum())
    assert float((stitch(found[0]) * unit).abs().max()) <= 2 ** (bits - 1) - 1


def test_damping_adds_the_error_of_the_weight() -> None:
    weight, inputs, reference = weights(3, 5)[None], weights(20, 5, 1)[None], weights(20, 5, 2)[None]
    gram, cross = response_statistics(inputs, reference, weight, .5)
    amount = .5 * float((inputs[0].T @ inputs[0]).diagonal().mean())
    for seed in (3, 4):
        guess = weights(3, 5, seed)
        full = (reference[0] @ weight[0].T - inputs[0] @ guess.T).square().sum()
        expected = full + amount * (weight[0] - guess).square().sum()
        constant = (reference[0] @ weight[0].T).square().sum() + amount * weight.square().sum()
        found = constant - 2 * (cross[0] * guess).sum() + ((guess @ gram[0]) * guess).sum()
        assert float(found) == pytest.approx(float(expected))


def test_columns_without_input_keep_their_bits() -> None:
    weight, rows = weights(2, 5), rows_of(2, 4)
    inputs = weights(50, 5, 1)
    inputs[:, 3] = 0
    integers, step = fwa(weight, rows)
    start = split(integers, rows)
    outputs = inputs @ weight.T
    planes, _ = ofwa_rr((inputs.T @ inputs)[None], (outputs.T @ inputs)[None], start, step * 4, rows)
    assert torch.equal(planes[..., 3], start[..., 3])


@pytest.mark.parametrize("scheme", ["symmetric", "unsigned"])
def test_the_activation_scale_is_a_least_squares_fixed_point(scheme: str) -> None:
    data = torch.randn(4000, generator=torch.Generator().manual_seed(0)) ** 3
    data = data.abs() if scheme == "unsigned" else data
    quantizer, histogram = Uniform(Partition.tensor(), 4, scheme), Histogram(Partition.tensor())  # type: ignore[arg-type]
    histogram.observe(data)
    set_scale(quantizer, histogram)
    low, high = (float(limit) for limit in quantizer.limits())
    scale = data.abs().max() / high
    for _ in range(1000):
        levels = (data / scale).round().clamp(low, high)
        scale = (data * levels).sum() / levels.square().sum()

    def error(step: Tensor) -> float:
        return float((data - (data / step).round().clamp(low, high) * step).square().sum())

    # The histogram may end at a neighbouring fixed point, no worse and no less fixed.
    assert error(quantizer.scale) <= error(scale) * 1.02
    levels = (data / quantizer.scale).round().clamp(low, high)
    assert float((data * levels).sum() / levels.square().sum()) == pytest.approx(float(quantizer.scale), rel=.01)
    assert float(quantizer.scale) < .9 * float(data.abs().max() / high)


def test_weights_become_stitched_integers_and_first_and_last_have_eight_bits() -> None:
    model = run_method("bitsplit", case("transformer", weights=3, activations=4), search={"response_epochs": 2})
    bits = {path: quantizer.describe()["bits"] for path, quantizer in model.quantizers.items()}
    assert bits["patch_embed.proj.weight"] == bits["patch_embed.proj.input"] == 8
    assert bits["head.weight"] == bits["head.input"] == 8
    assert bits["blocks.0.attn.qkv.weight"] == 3
    assert bits["blocks.1.attn.attention"] == 4
    quantizer = model.quantizer("blocks.1.mlp.fc1.weight")
    assert isinstance(quantizer, Stitched)
    assert int(quantizer.integers.abs().max()) <= 3
    assert quantizer.describe()["granularity"] == "channel"
    attention = model.quantizer("blocks.0.attn.attention")
    assert isinstance(attention, Uniform)
    assert attention.scheme == "unsigned"


@pytest.mark.parametrize("name", ["linear", "conv"])
def test_response_reconstruction_helps_the_model(name: str) -> None:
    errors = {}
    for weights_by in ("fwa", "ofwa_rr"):
        context = case(name, weights=3, activations=8)
        model = run_method("bitsplit", context, stem_weight_bits=None, head_bits=None,
                           search={"weights": weights_by, "damping": 0.})
        inputs = next(context.calibration.batches(10))
        with torch.no_grad(), model.full_precision():
            full = model(inputs)
        errors[weights_by] = float((model(inputs).detach() - full).norm())
    assert errors["ofwa_rr"] < .7 * errors["fwa"]


def test_compensation_sees_quantized_inputs() -> None:
    found = []
    for compensate in (True, False):
        context = context_of(linear_net(), torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), 4, 3)
        model = run_method("bitsplit", context, stem_bits=3, search={"compensate": compensate})
        found.append(model.quantizer("0.weight").scale.clone())
    assert not torch.equal(*found)


def test_what_bitsplit_cannot_do_is_an_error() -> None:
    context = case("linear", weights=2)
    with pytest.raises(QuantizationError, match="3 to 8 bits"):
        run_method("bitsplit", context, stem_weight_bits=None, head_bits=None)
    context = case("transformer")
    along_inputs = {"name": "uniform", "options": {"granularity": "head", "scheme": "symmetric"}}
    with pytest.raises(QuantizationError, match=r"one scale for each output channel at 'blocks.0.attn.proj.weight'"):
        run_method("bitsplit", context, weights=along_inputs, search={"response_epochs": 1})
    quantizer = Stitched(Partition.tensor(), torch.tensor([4.]), torch.ones(2, 3), torch.ones(1))
    with pytest.raises(QuantizationError, match="shape"):
        quantizer(torch.ones(3, 2))
