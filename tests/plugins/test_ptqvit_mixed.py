"""VT-PTQ's mixed precision: nuclear norm, Hessian trace, exact allocation."""

from __future__ import annotations

import itertools

import pytest
import torch
from ptqvit_cases import context_of, fake, run_method, symmetric, vit_context
from torch import Tensor, nn

from harness import Choice, QuantizationError
from harness_plugins.ptqvit.allocation import allocate
from harness_plugins.ptqvit.hessian import hutchinson
from harness_plugins.ptqvit.modules import at_bits, modules_of
from harness_plugins.ptqvit.nuclear import full_ranges, nuclear_norm


def test_nuclear_norm_is_the_sum_of_singular_values_not_the_trace() -> None:
    matrix = torch.diag(torch.tensor([3.0, -4.0]))
    assert float(nuclear_norm(matrix)) == pytest.approx(7)
    assert float(matrix.trace()) == -1
    assert nuclear_norm(matrix.expand(2, 3, 2, 2)).shape == (2, 3)


def test_allocation_of_the_worked_example() -> None:
    assert allocate([1, 1], [{4: 4, 6: 1, 8: 0.2}, {4: 10, 6: 3, 8: 1}], 6) == [6, 6]


def test_allocation_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        sizes = torch.randint(1, 5, (5,), generator=generator).tolist()
        omegas = [dict(zip((4, 5, 6, 7, 8), torch.rand(5, generator=generator).tolist(), strict=True)) for _ in sizes]
        every = [bits for bits in itertools.product((4, 5, 6, 7, 8), repeat=5)
                 if sum(n * b for n, b in zip(sizes, bits, strict=True)) <= 6 * sum(sizes)]
        best = min(sum(o[b] for o, b in zip(omegas, bits, strict=True)) for bits in every)
        found = allocate(sizes, omegas, 6)
        assert tuple(found) in every
        assert sum(o[b] for o, b in zip(omegas, found, strict=True)) == pytest.approx(best, abs=1e-12)


def test_impossible_budget_is_named() -> None:
    with pytest.raises(QuantizationError, match="at or below 3"):
        allocate([1], [{4: 1.0}], 3)


def placed(bits: str = "6/6", images: int = 6):
    context = vit_context(bits, images)
    symmetric(context.model, 6)
    return context


def test_modules_of_a_vit() -> None:
    context = placed()
    modules = modules_of(context.model, "nuclear")
    assert [module.name for module in modules] == ["0.msa", "0.mlp", "1.msa", "1.mlp"]
    assert {module.owner for module in modules} == {"blocks.0.attn", "blocks.0.mlp", "blocks.1.attn", "blocks.1.mlp"}
    assert modules[0].parameters == 32 * 96 + 96 + 32 * 32 + 32
    assert modules[1].parameters == 2 * 32 * 128 + 128 + 32
    assert set(modules[0].quantizers) == {f"blocks.0.attn.{name}" for name in (
        "qkv.weight", "qkv.input", "query", "key", "attention", "value", "proj.weight", "proj.input")}


@pytest.mark.parametrize("kind", ["scores", "softmax"])
def test_nuclear_sensitivity_is_equation_17(kind: str) -> None:
    context = placed()
    model = context.model.requires_grad_(False)
    # What eq. 17 says of block 1, the long way round: whole forward passes with hooks.
    attention, features, inputs = [], [], []

    def look(into: list[Tensor]) -> None:
        if kind == "softmax":
            context.calibration.observe(model, sites={"blocks.1.attn.attention": into.append})
        else:
            quantized = [model.quantizer(f"blocks.1.attn.{name}") for name in ("query", "key")]
            context.calibration.observe(model, operations={"blocks.1.attn.core.scores": lambda q, k, scale: into.append(
                quantized[0](q) @ quantized[1](k).mT)})

    with model.full_precision():
        look(attention)
        hook = model.operation("blocks.1.mlp.fc2").register_forward_hook(lambda m, i, o: features.append(o))
        context.calibration.observe(model, operations={"blocks.1.mlp.fc1": inputs.append})
        list(context.calibration.responses(model))
        hook.remove()
    a, o, x = torch.cat(attention), torch.cat(features), torch.cat(inputs)
    modules = {module.name: module for module in modules_of(model, "nuclear")}
    ranges = full_ranges(context, list(modules.values()), range(6))
    fc1, fc2 = model.operation("blocks.1.mlp.fc1"), model.operation("blocks.1.mlp.fc2")

    def step(tensor: Tensor) -> float:
        return float(tensor.detach().abs().max()) / 7

    hidden = nn.functional.gelu(nn.functional.linear(x, fc1.weight, fc1.bias))
    quantized = nn.functional.gelu(nn.functional.linear(fake(x, step(x)), fake(fc1.weight, step(fc1.weight)), fc1.bias))
    quantized = nn.functional.linear(fake(quantized, step(hidden)), fake(fc2.weight, step(fc2.weight)), fc2.bias)
    mlp = float(torch.linalg.svdvals(o).sum(-1).mean() * (quantized - o).square().sum((1, 2)).mean())
    with model.full_precision(), at_bits(modules["1.msa"], 4, ranges):
        changed: list[Tensor] = []
        look(changed)
    msa = float(torch.linalg.svdvals(a).sum((-1, -2)).mean() * (torch.cat(changed) - a).square().sum((1, 2, 3)).mean())
    seen: dict[str, dict[int, float]] = {}
    from harness_plugins.ptqvit import nuclear
    original, nuclear.assign = nuclear.assign, lambda c, name, found, omega: seen.update(omega)
    try:
        context.search(Choice(name="nuclear", options={"attention": kind}))
    finally:
        nuclear.assign = original
    assert seen["1.mlp"][4] == pytest.approx(mlp, rel=1e-4)
    assert seen["1.msa"][4] == pytest.approx(msa, rel=1e-4)
    assert all(list(omega.values()) == sorted(omega.values(), reverse=True) for omega in seen.values())


def test_sensitivity_of_an_exact_module_is_zero() -> None:
    context = placed()
    module = modules_of(context.model, "nuclear")[1]
    ranges = full_ranges(context, [module], range(6))
    with at_bits(module, 5, ranges):
        assert {int(q.bits) for q in module.quantizers.values()} == {5}
        for quantizer in module.quantizers.values():
            quantizer.enabled = False
    assert {int(q.bits) for q in module.quantizers.values()} == {6}
    assert all(q.enabled for q in module.quantizers.values())


@pytest.mark.parametrize("search", ["nuclear", "hessian"])
def test_method_with_mixed_precision(search: str) -> None:
    context = vit_context("6/6", 6)
    given = {"probes": 2} if search == "hessian" else {}
    model = run_method(context, mixed_precision=search, allocation=given, search={"candidates": 5})
    bits = context.notes["mixed_precision"]["bits"]
    modules = modules_of(model, search)
    assert {m.name: {int(q.bits) for q in m.quantizers.values()} for m in modules} == {
        name: {chosen} for name, chosen in bits.items()}
    assert sum(m.parameters * bits[m.name] for m in modules) <= 6 * sum(m.parameters for m in modules)
    assert set(bits.values()) <= {4, 5, 6, 7, 8}
    assert int(model.quantizer("head.weight").bits) == 6
    assert torch.isfinite(model(torch.randn(2, 3, 16, 16))).all()
    assert all(not handles for handles in (m._forward_hooks for m in model.modules()))


def test_unequal_bits_have_no_mixed_precision() -> None:
    with pytest.raises(QuantizationError, match="one bit-width"):
        run_method(vit_context("4/8", 4), mixed_precision="nuclear")


class Quadratic(nn.Module):
    """Divergence 0.5 w' diag(h) w: with Rademacher vectors even one probe gives the trace exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc1(x)


def test_hutchinson_trace_of_a_diagonal_hessian() -> None:
    data = torch.diag(torch.tensor([1.0, 2.0, 3.0]).sqrt())
    context = context_of(Quadratic(), data, batch_size=3)
    context.divergence = lambda reference, outputs: 0.5 * (outputs - reference).square().sum()
    weight = context.model.operation("fc1").weight.requires_grad_(False)
    traces = hutchinson(context, {"w": weight}, 1, range(3))
    assert traces["w"] == pytest.approx(6, rel=1e-5)
    assert not weight.requires_grad


def test_divergence_without_gradient_is_named() -> None:
    context = context_of(Quadratic(), torch.eye(3))
    context.divergence = lambda reference, outputs: torch.zeros(())
    with pytest.raises(QuantizationError, match="no gradient"):
        hutchinson(context, {"w": context.model.operation("fc1").weight}, 1, range(3))
