"""PACT: clipping and its gradients, the bins of the weights, and what training does with them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from harness import Bits, Choice, Context, Method, QuantizationError, Quantizer, Site
from harness.model.site import Layout
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness.testing.training import TrainingConformance
from harness.training.optimizer import make_optimizer

SITE = Site("x", "x", "input", "linear", None, Layout(("channel",), (None,), -1))
NORMAL = torch.special.ndtri((torch.arange(100_000, dtype=torch.float64) + .5) / 100_000).float()


def quantizer(name: str, bits: int, **options: Any) -> Any:
    return registry().create(registry().quantizers, Choice(name=name, options=options), SITE, bits)


def clipped(alpha: float, bits: int, scheme: str) -> Any:
    made = quantizer("pact", bits, scheme=scheme)
    with torch.no_grad():
        made.alpha.fill_(alpha)
    return made


def ready(budget: str = "steps=2", bits: Bits = Bits(3, 3), **options: Any) -> tuple[Context, Method[Any]]:  # noqa: B008
    spec = registry().methods["pact"]
    method = registry().component(spec)(resolve(spec.options, options, "method pact"))
    context = toy_context(bits, budget=budget)
    method.place(context)
    method.calibrate(context)
    return context, method


class TestPact(TrainingConformance):
    method = "pact"


def gradients(made: Quantizer, values: list[float]) -> tuple[Tensor, list[float], list[float]]:
    """Outputs, gradient to each value, and gradient to alpha of each value alone."""
    outputs, to_value, to_alpha = [], [], []
    for value in values:
        x = torch.tensor([value], requires_grad=True)
        made.zero_grad()
        y = made(x)
        y.backward()
        alpha = made.get_parameter("alpha")
        assert x.grad is not None
        assert alpha.grad is not None
        outputs.append(y.detach())
        to_value.append(float(x.grad))
        to_alpha.append(float(alpha.grad))
    return torch.cat(outputs), to_value, to_alpha


def test_unsigned_data_are_clipped_between_0_and_alpha() -> None:
    outputs, to_value, to_alpha = gradients(clipped(2, 2, "unsigned"), [1.1, 3., -.5, .2])
    torch.testing.assert_close(outputs, torch.tensor([4 / 3, 2., 0., 0.]))
    assert to_alpha == [0, 1, 0, 0]
    assert to_value == [1, 0, 0, 1]


def test_signed_data_are_clipped_on_both_sides() -> None:
    outputs, to_value, to_alpha = gradients(clipped(2, 3, "symmetric"), [1.1, 3., -.5, -9., .2])
    torch.testing.assert_close(outputs, torch.tensor([4 / 3, 2., -2 / 3, -2., 0.]))
    assert to_alpha == pytest.approx([0, 1, 0, -1, 0])
    assert to_value == [1, 0, 1, 0, 1]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_clipping_against_the_papers_three_equations(bits: int) -> None:
    made = clipped(1.3, bits, "unsigned")
    x = torch.rand(500, generator=torch.Generator().manual_seed(0)).double() * 5 - 2
    y = .5 * (x.abs() - (x - 1.3).abs() + 1.3)
    steps = 2**bits - 1
    expected = (y * steps / 1.3).round() * 1.3 / steps
    torch.testing.assert_close(made(x.float()).detach(), expected.float(), atol=1e-5, rtol=0)


def test_alpha_starts_at_the_largest_value_but_not_above_the_limit() -> None:
    data = torch.tensor([-4., 2.5, 1.])
    for scheme, limit, expected in (("symmetric", 6., 4.), ("unsigned", 6., 2.5), ("symmetric", 3., 3.)):
        made = quantizer("pact", 4, scheme=scheme, largest_start=limit)
        made.initialise(data, "minmax")
        assert float(made.alpha.detach()) == pytest.approx(expected)


def test_alpha_can_start_at_the_least_squared_error() -> None:
    made = quantizer("pact", 3)
    made.initialise(NORMAL, "mse")
    errors = {}
    for alpha in (float(made.alpha.detach()) * factor for factor in (.8, 1., 1.25)):
        errors[alpha] = float((clipped(alpha, 3, "symmetric")(NORMAL) - NORMAL).square().mean().detach())
    assert min(errors, key=errors.__getitem__) == pytest.approx(float(made.alpha.detach()))


def test_dorefa_against_its_formula() -> None:
    weight = torch.tensor([-1.5, -.9, -.4, -.1, .05, .3, .6])
    made = quantizer("dorefa", 5)
    made.initialise(weight, "mse")
    expected = []
    for w in weight.tolist():
        inner = math.tanh(w) / (2 * max(math.tanh(abs(v)) for v in weight.tolist())) + .5
        expected.append(1.5 * (2 * round(31 * inner) / 31 - 1))
    torch.testing.assert_close(made(weight), torch.tensor(expected))


@pytest.mark.parametrize("bits", range(2, 9))
def test_sawb_is_near_the_best_level_for_a_gaussian(bits: int) -> None:
    made = quantizer("sawb", bits)
    made.initialise(NORMAL, "mse")
    alpha = float(made.alpha)

    def error(alpha: float) -> float:
        steps = 2**bits - 1
        codes = ((NORMAL / alpha + 1) / 2 * steps).clamp(0, steps).round()
        return float((alpha * (2 * codes / steps - 1) - NORMAL).square().mean())

    best = min(error(alpha * (.7 + .02 * step)) for step in range(31))
    assert float((made(NORMAL) - NORMAL).square().mean()) == pytest.approx(error(alpha), rel=1e-3)
    assert error(alpha) < 1.1 * best
    assert len(made(NORMAL).unique()) == 2**bits


def test_sawb_against_its_formula() -> None:
    weight = torch.tensor([.1, -.2, .4, -.1, 0.])
    made = quantizer("sawb", 3)
    made.initialise(weight, "mse")
    assert float(made.alpha) == pytest.approx(7.509 * math.sqrt(.22 / 5) - 6.892 * .8 / 5)


def test_sawb_of_constant_magnitudes_keeps_them() -> None:
    weight = torch.tensor([.25, -.25, .25])
    made = quantizer("sawb", 4)
    made.initialise(weight, "mse")
    torch.testing.assert_close(made(weight), weight)
    made.initialise(torch.zeros(3), "mse")
    assert bool(torch.isfinite(made(torch.zeros(3))).all())


def test_sawb_has_coefficients_for_few_bits_only() -> None:
    with pytest.raises(QuantizationError, match="9 bits"):
        quantizer("sawb", 9)


@pytest.mark.parametrize("name", ["dorefa", "sawb"])
def test_bins_follow_the_weight_in_training_and_stay_otherwise(name: str) -> None:
    made, weight = quantizer(name, 4), torch.nn.Parameter(NORMAL[::100].clone())
    made.initialise(weight.detach(), "mse")
    first = float(made.alpha)
    with torch.no_grad():
        once = made(weight * 2)
    assert float(made.alpha) == first
    assert float(once.abs().max()) == pytest.approx(first)
    (made(weight * 2) + made(weight)).sum().backward()  # two uses before one backward
    assert float(made.alpha) == pytest.approx(first)
    made(weight * 2)
    assert float(made.alpha) == pytest.approx(2 * first)
    assert weight.grad is not None
    inside = weight.detach().abs() < first * .99
    assert bool((weight.grad[inside] != 0).all())


def test_placement() -> None:
    context, _ = ready(bits=Bits(3, 2))
    for path, site in context.model.sites.items():
        described = context.model.quantizer(path).describe()
        unsigned = site.role == "attention" or path.endswith("fc2.input")
        name = "sawb" if site.is_weight else f"pact {'unsigned' if unsigned else 'symmetric'}"
        ends = site.operation in ("stem", "head")
        assert (described["quantizer"], described["bits"]) == (name, 8 if ends else 3 if site.is_weight else 2), path


def test_clipping_levels_decay_and_other_quantizers_do_not() -> None:
    context, method = ready(hidden="learned", clip_decay=.01)
    (stage,) = method.stages(context)  # type: ignore[attr-defined]
    decay = {group["name"]: group["weight_decay"] for group in make_optimizer(context.model, stage).param_groups}
    assert decay == {"weights": .05, "others": 0, "clips": .01, "scales": 0}


def test_it_trains_without_any_clipping_level() -> None:
    context, method = ready(activations="learned", attention="learned", hidden="learned",
                            training={"batch_size": 4})
    method.train(context)
    assert context.notes["training"][0]["steps"] == 2


def test_training_moves_the_clipping_levels() -> None:
    context, method = ready(training={"batch_size": 8, "learning_rate": 1e-3})
    before = {path: float(made.get_parameter("alpha").detach()) for path, made in context.model.quantizers.items()
              if made.describe()["quantizer"].startswith("pact")}
    method.train(context)
    after = {path: float(context.model.quantizer(path).get_parameter("alpha").detach()) for path in before}
    assert all(after[path] != before[path] for path in before)


@pytest.mark.parametrize("name", sorted(registry().methods["pact"].ablations))
def test_every_ablation_trains(name: str) -> None:
    options = registry().methods["pact"].ablations[name]
    context, method = ready(**{**options, "training": {"batch_size": 4}})
    method.train(context)
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])


def test_the_schedule_is_quantformers() -> None:
    training = ready()[1].options.training
    assert (training.epochs, training.batch_size, training.learning_rate, training.final_learning_rate,
            training.weight_decay) == (120, 256, 1e-4, 1e-6, .05)
