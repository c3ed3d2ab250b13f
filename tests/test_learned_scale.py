"""Where learned scales start: the rules against their formulas, and the search that applies them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import (
    Bits,
    Calibration,
    Choice,
    Context,
    HarnessError,
    Initialisable,
    LearnedUniform,
    Partition,
    QuantizationError,
    Quantizer,
    Uniform,
    initial_scale,
    instrument,
)
from harness.testing.toy import toy_context

TENSOR = Partition.tensor()


def found(values: list[float] | Tensor, rule: str, bits: int, scheme: Any = "symmetric", offset: bool = False
          ) -> tuple[float, float | None]:
    scale, shift = initial_scale(torch.as_tensor(values), rule, bits, scheme, TENSOR, offset)
    return float(scale), None if shift is None else float(shift)


def test_lsq_is_twice_the_mean_magnitude_over_the_root_of_the_largest_integer() -> None:
    assert found([.01, -.022], "lsq", 4)[0] == pytest.approx(.0120949, abs=1e-7)
    assert found([.01, .022], "lsq", 4, "unsigned")[0] == pytest.approx(2 * .016 / math.sqrt(15))
    assert found([.01, .022], "lsq", 4, "unsigned", offset=True)[1] == 0


def test_gaussian_is_three_deviations_over_half_the_levels() -> None:
    assert found([.02, -.02], "gaussian", 4)[0] == pytest.approx(.0075)
    assert found([.05, .01], "gaussian", 4)[0] == pytest.approx((.03 + 3 * .02) / 8)
    assert found([.05, .01], "gaussian", 4, "unsigned")[0] == pytest.approx((.03 + 3 * .02) / 16)
    scale, offset = found([.05, .01], "gaussian", 4, "unsigned", offset=True)
    assert (scale, offset) == (pytest.approx(6 * .02 / 15), pytest.approx(.03 - 3 * .02))


def test_minmax_covers_the_range() -> None:
    assert found([-.8, .3], "minmax", 4)[0] == pytest.approx(.8 / 7)
    assert found([.1, .3], "minmax", 4, "unsigned")[0] == pytest.approx(.3 / 15)
    assert found([-.2, .3], "minmax", 4, "unsigned", offset=True) == (pytest.approx(.5 / 15), pytest.approx(-.2))
    scale, offset = found([-.2, .3], "minmax", 4, offset=True)
    assert (scale, offset) == (pytest.approx(.5 / 15), pytest.approx(-.2 + 8 * .5 / 15))


@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("scheme", ["symmetric", "unsigned"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_mse_is_a_fixed_point_that_no_small_step_improves(bits: int, scheme: Any, offset: bool) -> None:
    values = torch.randn(5000, generator=torch.Generator().manual_seed(bits), dtype=torch.float64)
    values = nn.functional.gelu(values) if scheme == "unsigned" else values
    low, high = (0, 2**bits - 1) if scheme == "unsigned" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    scale, shift = found(values, "mse", bits, scheme, offset)

    def error(scale: float, shift: float) -> float:
        codes = ((values - shift) / scale).clamp(low, high).round()
        return float((codes * scale + shift - values).square().mean())

    start, begin = found(values, "minmax", bits, scheme, offset)
    codes = ((values - (shift or 0)) / scale).clamp(low, high).round()
    assert scale == pytest.approx(float(((values - (shift or 0)) * codes).sum() / codes.square().sum()), rel=1e-3)
    assert shift is None or shift == pytest.approx(float((values - scale * codes).mean()), abs=.01 * scale)
    assert error(scale, shift or 0) <= error(start, begin or 0) * 1.001


def test_every_slot_has_its_own() -> None:
    values = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.], [5.], [.1]])
    rows = Partition.along(torch.arange(3), -2, "channel")
    for rule in ("mse", "lsq", "gaussian", "minmax"):
        scale, offset = initial_scale(values, rule, torch.tensor([2., 4., 8.]), "symmetric", rows, offset=True)
        assert offset is not None
        for row, bits in enumerate((2, 4, 8)):
            alone = found(values[row], rule, bits, offset=True)
            assert (float(scale[row]), float(offset[row])) == (pytest.approx(alone[0]), pytest.approx(alone[1])), rule


def test_another_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rule 'median'"):
        found([1., 2.], "median", 4)


def placed(batch: int = 4, samples: int = 16) -> Context:
    """A toy context with a learned scale everywhere."""
    context = toy_context(Bits(4, 4), samples=samples)
    context.calibration.batch_size = batch
    for path, site in context.model.sites.items():
        scheme: Any = "unsigned" if site.operand == "attention" else "symmetric"
        context.model.place(path, LearnedUniform(site.layout.partition("tensor"), 4, scheme))
    return context


def search(context: Context, **options: Any) -> None:
    context.search(Choice(name="learned_scale", options=options))


def scale_at(context: Context, path: str) -> float:
    return float(context.model.quantizer(path).get_parameter("scale").detach())


def pictures(context: Context, count: int) -> Tensor:
    return next(context.calibration.batches(size=count))


def test_weights_and_activations_have_rules_of_their_own() -> None:
    context = placed()
    search(context, weights="gaussian", activations="lsq")
    stem = context.model.operation("stem").get_parameter("weight").detach()
    assert scale_at(context, "stem.weight") == pytest.approx(found(stem, "gaussian", 4)[0])
    expected = found(pictures(context, 4), "lsq", 4)[0]
    assert scale_at(context, "stem.input") == pytest.approx(expected)


def test_later_sites_see_what_the_quantized_ones_before_them_give() -> None:
    context = placed()
    search(context, activations="minmax", images=8)
    path = "blocks.1.fc2.input"
    seen: list[Tensor] = []
    context.model.quantizer(path).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        context.model(pictures(context, 8))
        with context.model.full_precision():
            context.model(pictures(context, 8))
    quantized, full = (found(tensor, "minmax", 4)[0] for tensor in seen)
    scale = scale_at(context, path)
    assert scale == pytest.approx(quantized)
    assert scale != pytest.approx(full)


@pytest.mark.parametrize(("options", "batches"), [({}, [4]), ({"images": 6}, [6]), ({"images": 100}, [16])])
def test_one_batch_is_enough(options: dict[str, Any], batches: list[int]) -> None:
    context = placed()
    seen: list[int] = []
    context.model.operation("stem").register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    search(context, **options)
    assert seen == batches


class Recorder(Quantizer):
    """Remembers how it was initialised."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, str, bool]] = []

    def initialise(self, tensor: Tensor, rule: str) -> None:
        self.calls.append((tensor, rule, torch.is_grad_enabled()))

    def quantize(self, tensor: Tensor) -> Tensor:
        return tensor

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "recorder", "bits": 4, "granularity": "tensor", "groups": 1, "dynamic": False}


def test_a_quantizer_that_initialises_itself_is_asked_once() -> None:
    context = placed()
    weight, attention = Recorder(), Recorder()
    assert isinstance(weight, Initialisable)
    context.model.place("head.weight", weight)
    context.model.place("blocks.0.attn.attention", attention)
    search(context, weights="gaussian", activations="minmax")
    ((tensor, rule, graph),) = weight.calls
    assert torch.equal(tensor, context.model.operation("head").get_parameter("weight"))
    assert (rule, graph) == ("gaussian", False)
    ((tensor, rule, graph),) = attention.calls
    assert (tuple(tensor.shape), rule, graph) == ((4, 2, 16, 16), "minmax", False)


class Gate(nn.Module):
    """Runs ``inner`` twice where a batch has a positive mean, and not at all elsewhere."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x) * 2) if x.mean() > 0 else x


def test_a_site_takes_the_first_tensor_that_reaches_it() -> None:
    class Samples:
        ids: Sequence[str] = ("below", "above", "far above")
        data = torch.tensor([[-1., -3.], [1., 3.], [10., 30.]])

        def batches(self, indices: Any, size: int) -> Any:
            for first in range(0, len(indices), size):
                yield type("Batch", (), {"inputs": self.data[list(indices[first:first + size])]})

    context = placed()
    context.model = instrument(Gate(nn.Linear(2, 2)), {})
    context.calibration = Calibration(Samples(), [0, 1, 2], lambda model, inputs: model(inputs), batch_size=1)
    context.model.place("inner.input", LearnedUniform(TENSOR, 4))
    search(context, activations="minmax")
    assert scale_at(context, "inner.input") == pytest.approx(3 / 7)
    context.calibration = Calibration(Samples(), [0], lambda model, inputs: model(inputs), batch_size=1)
    with pytest.raises(QuantizationError, match=r"no calibration data reached 'inner\.input'"):
        search(context)


def test_a_quantizer_without_a_learned_scale_is_an_error() -> None:
    context = placed()
    context.model.place("head.input", Uniform(TENSOR, 4))
    with pytest.raises(HarnessError) as caught:
        search(context)
    assert "'head.input'" in caught.value.message
    assert "uniform asymmetric" in caught.value.message
    assert "activations=learned" in caught.value.remedy


def test_nan_is_an_error_that_names_the_site() -> None:
    context = placed()
    with torch.no_grad():
        context.model.operation("head").get_parameter("weight")[0, 0] = torch.nan
    with pytest.raises(QuantizationError, match=r"weight at 'head\.weight'"):
        search(context)


def test_full_precision_sites_stay() -> None:
    context = toy_context(Bits(4, 4))
    context.model.place("stem.weight", LearnedUniform(TENSOR, 4))
    search(context)
    assert context.model.quantizer("head.weight").describe()["bits"] == 32
