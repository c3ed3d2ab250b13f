"""The losses ``kure`` and ``hinge`` against their formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import Bits, Choice, Context, LearnedUniform, Loss, QuantizationError, Seen, Stage, Step, TrainingOptions
from harness import instrument as instrumented
from harness.registry import registry
from harness.testing.toy import toy_context
from harness.training.kurtosis import kurtosis

QUANTILES = (torch.arange(1_000_000, dtype=torch.float64) + .5) / 1_000_000
GAUSSIAN = torch.special.ndtri(QUANTILES)


def made(name: str, **options: Any) -> Loss[Any]:
    return registry().create(registry().losses, Choice(name=name, options=options))


def step_of(context: Context, student: dict[str, Tensor] | None = None, teacher: dict[str, Tensor] | None = None
            ) -> Step:
    return Step(context.model, None, [], None, torch.tensor(0.), student or {}, 0, 0.,  # type: ignore[arg-type]
                lambda batch: Seen(None, teacher or {}))


def set_weight(context: Context, operation: str, values: Tensor) -> None:
    """Fill the weight of an operation, and quantize it."""
    weight, path = context.model.operation(operation).get_parameter("weight"), f"{operation}.weight"
    with torch.no_grad():
        weight.copy_(values.reshape(weight.shape))
    context.model.place(path, LearnedUniform(context.model.sites[path].layout.partition("tensor"), 4))


def test_the_kurtosis_of_known_distributions() -> None:
    assert float(kurtosis(QUANTILES)) == pytest.approx(1.8, abs=1e-4)
    assert float(kurtosis(GAUSSIAN)) == pytest.approx(3, abs=1e-3)
    assert float(kurtosis(3 * GAUSSIAN + 7)) == pytest.approx(3, abs=1e-3)
    assert float(kurtosis(torch.ones(4))) == 0


def test_kure_is_the_mean_over_quantized_weights() -> None:
    values = torch.tensor([[1., 2., 4., 9.], [0., 0., 1., 3.]])
    context = toy_context(Bits(4, 4))
    context.model = instrumented(nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))), {})
    set_weight(context, "0", values[0])
    set_weight(context, "2", values[1])

    def slow(row: Tensor) -> float:
        mean = sum(row.tolist()) / 4
        variance = sum((value - mean) ** 2 for value in row.tolist()) / 4
        return sum(((value - mean) / variance**.5) ** 4 for value in row.tolist()) / 4

    expected = sum((slow(row) - 1.8) ** 2 for row in values) / 2
    assert float(made("kure")(step_of(context)).detach()) == pytest.approx(expected, rel=1e-5)
    expected = sum((slow(row) - 3) ** 2 for row in values) / 2
    assert float(made("kure", target=3)(step_of(context)).detach()) == pytest.approx(expected, rel=1e-5)


def test_kure_of_a_uniform_and_of_a_gaussian_weight() -> None:
    context = toy_context(Bits(4, 4))
    context.model = instrumented(nn.Sequential(nn.Linear(1000, 1000, bias=False)), {})
    for values, loss in ((QUANTILES - .5, 0), (GAUSSIAN, 1.44)):
        set_weight(context, "0", values)
        assert float(made("kure")(step_of(context)).detach()) == pytest.approx(loss, abs=5e-3)


def test_training_with_kure_flattens_weights() -> None:
    context = toy_context(Bits(4, 4), budget="steps=40")
    for path, site in context.model.sites.items():
        if site.is_weight:
            context.model.place(path, LearnedUniform(site.layout.partition("tensor"), 8))
    context.search(Choice(name="learned_scale"))
    stem = context.model.operation("stem").get_parameter("weight")
    with torch.no_grad():
        stem.copy_(50 * stem**3)
    before = float(kurtosis(stem.detach()))
    context.train(Stage("train", TrainingOptions(batch_size=4, learning_rate=1e-2), [Choice(name="kure")]))
    assert abs(float(kurtosis(stem.detach())) - 1.8) < abs(before - 1.8) / 4


def test_kure_needs_a_quantized_weight() -> None:
    context = toy_context(Bits(4, 4))
    with pytest.raises(QuantizationError, match="no quantized weight"):
        context.train(Stage("train", TrainingOptions(batch_size=4), [Choice(name="kure")]))


def slow_hinge(reference: Tensor, attention: Tensor, theta: float) -> float:
    """Eq. 10 with its three sums: rows k, and pairs p < q of a row."""
    total = 0.
    for a, b in zip(reference.flatten(0, -2).tolist(), attention.flatten(0, -2).tolist(), strict=True):
        for q in range(len(a)):
            for p in range(q):
                sign = (a[p] > a[q]) - (a[p] < a[q])
                total += max(theta - (b[p] - b[q]) * sign, 0)
    return total


def maps(context: Context, seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {path: torch.softmax(torch.randn(2, 2, 5, 5), -1) for path, site in context.model.sites.items()
            if site.role == "attention"}


def test_hinge_compares_the_attention_maps_of_student_and_teacher() -> None:
    context = toy_context(Bits(4, 4))
    student, teacher = maps(context, 0), maps(context, 1)
    assert set(made("hinge").watches(context.model)) == set(student)
    assert len(student) == 2
    step = step_of(context, student, teacher)
    expected = {theta: sum(slow_hinge(teacher[path], student[path], theta) for path in student) for theta in (.2, .05)}
    assert float(made("hinge", reduction="sum")(step)) == pytest.approx(expected[.2], rel=1e-5)
    assert float(made("hinge", reduction="sum", theta=.05)(step)) == pytest.approx(expected[.05], rel=1e-5)
    assert float(made("hinge")(step)) == pytest.approx(expected[.2] / (2 * 2 * 5) / 10, rel=1e-5)


def test_hinge_reads_the_maps_before_their_own_quantizer() -> None:
    seen: list[Step] = []

    class Spy(type(made("hinge"))):  # type: ignore[misc]
        def forward(self, step: Step) -> Tensor:
            seen.append(step)
            return super().forward(step)

    context = toy_context(Bits(4, 4), budget="steps=1")
    path = "blocks.0.attn.attention"
    context.model.place(path, LearnedUniform(context.model.sites[path].layout.partition("tensor"), 2, "unsigned"))
    context.train(Stage("train", TrainingOptions(batch_size=4), [Spy(made("hinge").options)]))
    # Full precision before the first map: it is the teacher's, although its quantizer is coarse.
    torch.testing.assert_close(seen[0].sites[path], seen[0].teacher.sites[path])
    assert seen[0].sites[path].requires_grad


def test_training_with_hinge_restores_the_order() -> None:
    context = toy_context(Bits(4, 4), budget="steps=60")
    with torch.no_grad():
        for block in (0, 1):
            context.model.operation(f"blocks.{block}.attn.qkv").get_parameter("weight").add_(
                .2 * torch.randn(48, 16, generator=torch.Generator().manual_seed(block)))
    context.train(Stage("train", TrainingOptions(batch_size=16, learning_rate=5e-3), [Choice(name="hinge")]))
    curve = context.notes["training"][0]["loss"]
    assert curve[-1] < .9 * curve[0]


def test_hinge_needs_attention() -> None:
    model = instrumented(nn.Linear(2, 2), {})
    with pytest.raises(QuantizationError, match="this model has none"):
        made("hinge").watches(model)
