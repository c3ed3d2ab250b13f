"""Bin regularisation (OBR), its schedule, and the tracking of oscillations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness import (
    Bits,
    Choice,
    Context,
    LearnedUniform,
    Partition,
    QuantizationError,
    Quantizer,
    Stage,
    TrainingOptions,
    Uniform,
)
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness_plugins.variation.bin_term import bin_term
from harness_plugins.variation.bins import integers, quantized_weights
from harness_plugins.variation.options import BinOptions, ModuleDependentOptions
from harness_plugins.variation.oscillation import OscillationMonitor, follow
from harness_plugins.variation.quantizer import ModuleDependent
from harness_plugins.variation.regularizer import BinRegularization, ramp

WEIGHTS = [0, 0.1, 0.12, -0.2, -0.26, 0.3]


def quantizer(partition: Partition | None = None, bits: int = 3, scale: float = 0.1) -> ModuleDependent:
    made = ModuleDependent(ModuleDependentOptions(), partition or Partition.tensor(), bits)
    made.set_scale(scale * (1 + 0.3 * torch.arange(made.partition.slots)))
    return made


# Equation 10


@pytest.mark.parametrize(("options", "value"), [
    ({}, 3.3333e-4 + 2e-4), ({"error": "l2norm"}, 0.0447214 + 2e-4), ({"min_count": 3}, 3.3333e-4),
    ({"ddof": 0}, 3.3333e-4 + 1e-4)])
def test_the_papers_numbers(options: dict[str, Any], value: float) -> None:
    """w_q = [0, .1, .1, -.2, -.3, .3]; only the bin of 1 has two members."""
    term = bin_term(torch.tensor(WEIGHTS), quantizer(), BinOptions(**options))
    assert term.item() == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("error", ["mean_sq", "l2norm"])
def test_weights_at_the_centres_cost_nothing(error: str) -> None:
    weight = (0.1 * torch.tensor([0.0, 1, 1, -4, 3, 2, 2, -1])).requires_grad_()
    term = bin_term(weight, quantizer(), BinOptions(error=error))
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-9)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.zeros(8), atol=1e-6, rtol=0)


def slow(weight: Tensor, made: ModuleDependent, options: BinOptions) -> Tensor:
    """Eq. 10, module by module and bin by bin."""
    total = torch.zeros(())
    slots = torch.broadcast_to(made.partition.index, weight.shape)
    low, high = made.limits()
    for slot in range(made.partition.slots):
        members, scale = weight[slots == slot], made.scale[slot]
        codes = (members / scale).detach().clamp(low[slot], high[slot]).round()
        clipped = members if options.error == "l2norm" else torch.where(members < low[slot] * scale, low[slot] * scale,
            torch.where(members > high[slot] * scale, high[slot] * scale, members))
        quantized = (codes * scale).detach()
        total = total + (((clipped - quantized) ** 2).mean() if options.error == "mean_sq"
                         else torch.linalg.vector_norm(clipped - quantized))
        for level in range(int(low[slot]), int(high[slot]) + 1):
            inside = clipped[codes == level]
            if len(inside) >= options.min_count:
                total = total + torch.var(inside, correction=options.ddof)
    return total


PARTITIONS = {"tensor": Partition.tensor(),
              "heads of outputs": Partition.along(torch.arange(12) // 2, -2, "module_head"),
              "heads of inputs": Partition.along(torch.arange(8) // 4, -1, "head")}


@pytest.mark.parametrize("options", [{}, {"error": "l2norm", "min_count": 3}, {"ddof": 0}])
@pytest.mark.parametrize("bits", [2, 3, 8])
@pytest.mark.parametrize("partition", PARTITIONS)
def test_all_bins_at_once_are_bin_by_bin(partition: str, bits: int, options: dict[str, Any]) -> None:
    made = quantizer(PARTITIONS[partition], bits, 0.02 if bits == 8 else 0.3)
    weight = torch.randn(12, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    term, reference = (compute(weight, made, BinOptions(**options)) for compute in (bin_term, slow))
    torch.testing.assert_close(term, reference, rtol=1e-4, atol=1e-6)
    for gradient, expected in zip(*(torch.autograd.grad(value + 0 * made.scale.sum(), (weight, made.scale))
                                    for value in (term, reference)), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)


def test_what_stays_in_full_precision_is_not_drawn() -> None:
    made = quantizer(Partition.along(torch.arange(2), -2, "module"))
    made.kept = torch.tensor([True, False])
    weight = torch.randn(2, 9).requires_grad_()
    bin_term(weight, made, BinOptions()).backward()
    assert weight.grad is not None
    assert not bool(weight.grad[0].any())
    assert bool(weight.grad[1].any())


class Ternary(Quantizer):
    """Three values without a scale of its own kind."""

    def quantize(self, tensor: Tensor) -> Tensor:
        return 0.5 * torch.sign(tensor) * (tensor.abs() > 0.2)

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "ternary", "bits": 2, "granularity": "tensor", "groups": 1, "dynamic": False}


def test_bins_of_another_quantizer_are_its_values() -> None:
    weight = torch.tensor([0.1, -0.1, 0.4, 0.7, -0.5], requires_grad=True)
    term = bin_term(weight, Ternary(), BinOptions())
    assert term.item() == pytest.approx((2 * 0.01 + 0.01 + 0.04) / 5 + 0.02 + 0.045, rel=1e-5)
    assert torch.autograd.grad(term, weight)[0][0] != 0


def test_uniform_quantizers_with_a_zero_point() -> None:
    made, weight = Uniform(Partition.tensor(), 3, "asymmetric"), torch.randn(40)
    made.set_range(weight.amin().reshape(1), weight.amax().reshape(1))
    low, high = ((limit * made.scale).item() for limit in made.limits())
    rest = weight.clamp(low, high) - made(weight)
    bins = [rest[made(weight) == value] for value in made(weight).unique()]
    variance = sum(torch.var(inside) for inside in bins if len(inside) > 1)
    term = bin_term(weight, made, BinOptions())
    torch.testing.assert_close(term, (rest.square().mean() + variance).reshape(()), rtol=1e-3, atol=1e-5)


def test_an_offset_is_taken_off_first() -> None:
    made = LearnedUniform(Partition.tensor(), 3, offset=True)
    made.set_scale(torch.tensor([0.1]), torch.tensor([0.7]))
    weight = (torch.tensor(WEIGHTS) + 0.7).requires_grad_()
    term = bin_term(weight, made, BinOptions())
    assert term.item() == pytest.approx(5.3333e-4, rel=1e-3)
    term.backward()
    assert weight.grad is not None
    assert made.offset is not None
    torch.testing.assert_close(made.offset.grad, -weight.grad.sum().reshape(1))


# Its schedule


@pytest.mark.parametrize(("epoch", "value"), [(0, 0), (20, 0), (37.5, 0), (93.75, 0.05), (150, 0.1)])
def test_lambda_rises_along_a_cosine(epoch: float, value: float) -> None:
    assert ramp(epoch / 150, 0.25, 0.1) == pytest.approx(value, abs=1e-12)


def prepared(bits: int, **options: Any) -> BinRegularization:
    context = quantized_context(bits)
    loss = BinRegularization(BinOptions(**options))
    loss.prepare(context)
    return loss


def quantized_context(bits: int, budget: str = "steps=2", **options: Any) -> Context:
    spec = registry().methods["variation"]
    method = registry().component(spec)(resolve(spec.options, options, "method variation"))
    context = toy_context(Bits(bits, 4), budget=budget, method=method)
    method.place(context)
    method.calibrate(context)
    return context


@pytest.mark.parametrize(("bits", "options", "value"), [
    (2, {}, 0.1), (3, {}, 0.1), (4, {}, 0), (4, {"most_bits": 4}, 0.1), (3, {"weight": 1.0}, 1)])
def test_only_for_few_bits(bits: int, options: dict[str, Any], value: float) -> None:
    assert prepared(bits, **options).weight(1.0) == pytest.approx(value)


def test_the_term_is_the_sum_over_all_weights() -> None:
    context = quantized_context(3)
    loss = BinRegularization(BinOptions())
    loss.prepare(context)
    weights = [path for path, site in context.model.sites.items() if site.is_weight]
    assert len(weights) == 10
    expected = sum(slow(context.model.operation(context.model.sites[path].operation).weight,
                        context.model.quantizer(path), BinOptions()) for path in weights)
    step = type("Step", (), {"model": context.model})()
    torch.testing.assert_close(loss(step), expected, rtol=1e-3, atol=1e-6)


def test_nothing_to_regularise_is_said() -> None:
    with pytest.raises(QuantizationError, match="no quantized weight"):
        BinRegularization(BinOptions()).prepare(toy_context(Bits(3, 3)))


def test_it_draws_weights_to_their_centres() -> None:
    """Trained (almost) by the regulariser alone."""
    context = quantized_context(2, "steps=60")
    errors = []
    for weight in (1e-9, 100.0):
        losses = [Choice(name="task", options={"weight": 1e-6}),
                  Choice(name="obr", options={"start": 0.0, "weight": weight})]
        context.train(Stage("draw", TrainingOptions(batch_size=4, learning_rate=1e-3, weight_decay=0), losses))
        terms = [bin_term(weight, made, BinOptions()).item() for _, weight, made in quantized_weights(context.model)]
        errors.append(sum(terms))
    assert errors[1] < 0.2 * errors[0]


# Equations 11 and 12


def followed(path: list[int]) -> tuple[list[bool], list[float]]:
    last, direction = torch.tensor([path[0]], dtype=torch.int16), torch.zeros(1, dtype=torch.int8)
    frequency, oscillated, frequencies = torch.zeros(1, dtype=torch.float64), [], []
    for integer in path[1:]:
        before = frequency.item()
        follow(torch.tensor([integer], dtype=torch.int16), last, direction, frequency)
        oscillated.append(frequency.item() > 0.99 * before + 1e-9)
        frequencies.append(frequency.item())
    return oscillated, frequencies


def test_the_papers_path() -> None:
    oscillated, frequencies = followed([0, 1, 0, 1, 1, 0])
    assert oscillated == [False, True, True, False, True]
    assert frequencies == pytest.approx([0, 0.01, 0.0199, 0.019701, 0.029504], abs=5e-7)


@pytest.mark.parametrize("path", [[0, 1, 2, 3], [3, 3, 1, 1, -2], [0, 0, 0]])
def test_a_path_in_one_direction_never_oscillates(path: list[int]) -> None:
    assert followed(path)[1][-1] == 0


def test_a_change_over_several_integers_counts_once() -> None:
    assert followed([0, 3, -4])[1][-1] == pytest.approx(0.01)


def test_the_share_of_oscillating_weights() -> None:
    context = quantized_context(3, leave_out=["q"])
    monitor = OscillationMonitor()
    monitor.prepare(context)
    step: Any = type("Step", (), {"model": context.model})()
    operation, made = context.model.operation("blocks.0.attn.qkv"), context.model.quantizer("blocks.0.attn.qkv.weight")
    with torch.no_grad():
        start = operation.weight.clone()
        for _ in range(2):  # all of W_q and the first row of W_k, up and down again
            for shift in (1, 0):
                operation.weight.copy_(start)
                operation.weight[:17] += shift * 100.0 * made.scale.max()
                monitor(step)
    percent = monitor.notes()["oscillation_percent"]
    assert set(percent) == {"modules", "fc1", "fc2", "head", "patch_embed", "proj", "qkv"}
    assert percent["qkv"] == pytest.approx(100 * 16 / (2 * 32 * 16), abs=0.5)  # W_q is not quantized
    assert 0 < percent["modules"] < percent["qkv"]
    assert percent["fc1"] == percent["head"] == 0


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_an_optimizer_spoilt_counts_as_tiny(scale: float) -> None:
    made = quantizer()
    with torch.no_grad():
        made.scale.fill_(scale)
    assert integers(torch.tensor([0.5, 0.0, -0.5]), made).tolist() == [3, 0, -4]


def test_its_memory_is_in_buffers() -> None:
    context = quantized_context(3)
    first, second = OscillationMonitor(), OscillationMonitor()
    first.prepare(context)
    step: Any = type("Step", (), {"model": context.model})()
    weight = context.model.operation("blocks.0.fc1").weight
    for sign in (1, -1, 1):
        with torch.no_grad():
            weight += sign * 10.0
            first(step)
    second.prepare(context)
    second.load_state_dict(first.state_dict())
    assert second.notes() == first.notes()
    assert first.notes()["oscillation_percent"]["fc1"] > 0
