"""The rank-consistency loss, the assignment's entropy and the rank difference, on the vectors of the specification."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from quantformer_cases import prepared
from torch import Tensor, nn

from harness import Choice, LossOptions, OptionError, QuantizationError, Seen, Step, View, instrument
from harness.registry import registry
from harness_plugins.quantformer.assignment import AssignmentEntropy, divide, grouped
from harness_plugins.quantformer.rank_consistency import entropy as entropy_of
from harness_plugins.quantformer.rank_consistency import exponent, layer_loss, logarithms_of
from harness_plugins.quantformer.sard import model_sard, sard

TEACHER = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
STUDENT = torch.tensor([[0.7, 0.1, 0.1, 0.1]])
TARGET = torch.tensor([[0.573536, 0.234578, 0.095943, 0.095943]])


def maps(*shape: int, seed: int = 0) -> Tensor:
    """Attention after a softmax."""
    return torch.softmax(2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), -1)


def entropy(attention: Tensor) -> Tensor:
    return entropy_of(attention, logarithms_of(attention))


def src(**options: Any) -> Any:
    return registry().create(registry().losses, Choice(name="src", options=options))


def step_of(context: Any, teacher: dict[str, Tensor] | None = None) -> Step:
    """The first training step of the context."""
    batch, loss = context.trainer.load([View(0), View(1)]), src()
    sites = {path: maps(2, 2, 5, 5, seed=number) for number, path in enumerate(loss.watches(context.model))}
    return Step(context.model, batch, [], None, torch.zeros(()), sites, 0, 0.0,
                lambda _: Seen(None, teacher or {path: maps(2, 2, 5, 5, seed=9) for path in sites}))


def test_the_vectors() -> None:
    e_r, e_q = entropy(TEACHER), entropy(STUDENT)
    assert (float(e_r), float(e_q)) == pytest.approx((1.213008, 0.940448), abs=1e-6)
    assert float(e_q / e_r) == pytest.approx(0.775303, abs=1e-6)
    p = exponent(e_r, e_q, "entropy_ratio")
    assert float(p) == pytest.approx(1.289819, abs=1e-6)
    target = TEACHER**p / (TEACHER**p).sum()
    torch.testing.assert_close(target, TARGET, atol=1e-6, rtol=0)
    torch.testing.assert_close(target, torch.softmax(TEACHER.log() / (e_q / e_r), -1))
    assert float(layer_loss(TEACHER, STUDENT, reduction="sum")) == pytest.approx(0.0341371, abs=1e-7)


def test_agreement_costs_nothing() -> None:
    attention = maps(2, 3, 7, 7)
    assert float(exponent(entropy(attention), entropy(attention), "entropy_ratio")) == 1
    assert float(layer_loss(attention, attention)) == pytest.approx(0, abs=1e-14)
    assert float(layer_loss(attention, attention, "const", k=2)) > 1e-4


@pytest.mark.parametrize(("form", "expected"), [
    ("entropy_ratio", 1.289819), ("other_entropy", 0.775303), ("exp", math.exp(1.289819)), ("const", 3.0)])
def test_forms_of_the_exponent(form: Any, expected: float) -> None:
    p = exponent(entropy(TEACHER), entropy(STUDENT), form, k=3)
    assert float(p) == pytest.approx(expected, abs=1e-5)
    target = TEACHER**p / (TEACHER**p).sum()
    assert float(layer_loss(TEACHER, STUDENT, form, 3, reduction="sum")) == pytest.approx(
        float((STUDENT - target).square().sum()), rel=1e-4)


def test_random_exponents_come_from_the_given_generator() -> None:
    drawn = [float(exponent(torch.ones(()), torch.ones(()), "random", generator=torch.Generator().manual_seed(seed)))
             for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 4
    assert all(1 <= p <= 5 for p in drawn)


def test_the_capacity_is_of_the_whole_layer() -> None:
    """Row after row, with one exponent for all."""
    teacher, student = maps(2, 3, 5, 5, seed=1), maps(2, 3, 5, 5, seed=2)
    p = float((teacher * teacher.log()).sum() / (student * student.log()).sum())
    total = 0.0
    for r, q in zip(teacher.reshape(-1, 5), student.reshape(-1, 5), strict=True):
        total += float((q - r**p / (r**p).sum()).square().sum())
    assert float(layer_loss(teacher, student, reduction="sum")) == pytest.approx(total, rel=1e-5)
    assert float(layer_loss(teacher, student, reduction="row_mean")) == pytest.approx(total / 30, rel=1e-5)
    assert float(layer_loss(teacher, student, reduction="mean")) == pytest.approx(total / 150, rel=1e-5)


def test_the_codes_form() -> None:
    teacher, student = maps(2, 3, 5, 5, seed=1), maps(2, 3, 5, 5, seed=2)
    normalize = nn.functional.normalize
    expected = (normalize(teacher.pow(2).view(2, -1)) - normalize(student.view(2, -1))).pow(2).mean()
    torch.testing.assert_close(layer_loss(teacher, student, "const", 2, "l2_flat"), expected)


def test_the_gradient_takes_target_and_capacity_as_constants() -> None:
    student = STUDENT.clone().requires_grad_()
    layer_loss(TEACHER, student, reduction="sum").backward()
    torch.testing.assert_close(student.grad, 2 * (STUDENT - TARGET), atol=1e-5, rtol=0)


def test_masked_entries_count_nothing() -> None:
    teacher, student = (torch.cat([each, torch.zeros(1, 2)], 1).requires_grad_() for each in (TEACHER, STUDENT))
    loss = layer_loss(teacher, student, reduction="sum")
    assert float(loss.detach()) == pytest.approx(0.0341371, abs=1e-7)
    loss.backward()
    assert torch.equal(student.grad[:, 4:], torch.zeros(1, 2))


def test_maps_without_entropy_give_a_finite_loss() -> None:
    soft, hard = maps(4, 6, 6), torch.eye(6).expand(4, 6, 6)
    for form in ("entropy_ratio", "other_entropy", "exp"):
        for teacher, student in ((soft, hard), (hard, soft), (hard, hard)):
            assert math.isfinite(float(layer_loss(teacher, student, form)))


def test_it_touches_each_element_a_fixed_number_of_times() -> None:
    """O(h w): nothing of the size of the pairs of a row is ever made."""
    sizes: list[int] = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            sizes.extend(each.numel() for each in (result if isinstance(result, tuple) else (result,))
                         if isinstance(each, Tensor))
            return result

    teacher, student = maps(2, 8, 197), maps(2, 8, 197, seed=1).requires_grad_()
    with Sizes():
        layer_loss(teacher, student).backward()
    assert max(sizes) == teacher.numel()
    assert sum(sizes) <= 16 * teacher.numel()


def test_the_loss_adds_up_the_attention_of_all_layers() -> None:
    _, context = prepared()
    loss, step = src(reduction="row_mean"), step_of(context)
    loss.prepare(context)
    assert sorted(loss.watches(context.model)) == ["blocks.0.attn.attention", "blocks.1.attn.attention"]
    expected = sum(layer_loss(step.teacher.sites[path], each, reduction="row_mean")
                   for path, each in step.sites.items())
    torch.testing.assert_close(loss(step), expected)
    assert loss.weight(0.5) == 20


def test_off_needs_no_teacher() -> None:
    _, context = prepared()
    loss = src(p="off")
    assert list(loss.watches(context.model)) == []
    step = step_of(context)
    step.run_teacher = lambda _: pytest.fail("the teacher ran")
    assert float(loss(step)) == 0


def test_what_cannot_be_compared_is_said() -> None:
    _, context = prepared()
    loss, step = src(), step_of(context, {f"blocks.{block}.attn.attention": maps(2, 2, 4, 4) for block in range(2)})
    loss.prepare(context)
    with pytest.raises(QuantizationError, match="same architecture"):
        loss(step)
    context.model = instrument(nn.Sequential(nn.Linear(4, 4)), {})
    with pytest.raises(OptionError, match="none"):
        loss.prepare(context)


def test_the_entropy_of_the_assignment() -> None:
    _, context = prepared()
    loss, step = AssignmentEntropy(LossOptions()), step_of(context)
    assert float(loss(step)) == 0, "no search, no entropy"
    divide(context, groups=8, soft=True, images=4)
    layers = grouped(context.model)
    assert len(layers) == 8
    assert float(loss(step).detach()) == pytest.approx(len(layers) * 0.259930, abs=1e-5)
    for quantizer in layers.values():
        with torch.no_grad():
            quantizer.assignment[3] += 100
    assert float(loss(step).detach()) == pytest.approx(0, abs=1e-8)


def test_sard_vectors() -> None:
    attention = maps(2, 3, 6, 6)
    assert float(sard(attention, attention)) == 0
    assert float(sard(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[0.3, 0.4, 0.2, 0.1]]), top=2)) == 1.0
    assert float(sard(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[0.3, 0.4, 0.2, 0.1]]), top=4)) == 0.5
    ties = torch.full((1, 4), 0.25)
    assert float(sard(ties, ties)) == 0
    assert float(sard(torch.tensor([[0.1, 0.2, 0.3, 0.4]]), ties, top=1)) == 3, "ties rank by their index"


def test_sard_is_the_mean_of_rank_differences() -> None:
    reference, attention = maps(2, 3, 9, seed=1), maps(2, 3, 9, seed=2)
    differences = []
    for r, q in zip(reference.reshape(-1, 9).tolist(), attention.reshape(-1, 9).tolist(), strict=True):
        rank = [{i: place for place, i in enumerate(sorted(range(9), key=lambda i: -row[i]))} for row in (r, q)]
        differences += [abs(rank[1][i] - rank[0][i]) for i in range(9) if rank[0][i] < 4]
    assert float(sard(reference, attention, top=4)) == pytest.approx(sum(differences) / len(differences))


def test_sard_of_a_model_grows_with_its_errors() -> None:
    values = [model_sard(context, context.trainer.teacher(), images=3) for context in (
        prepared("8/8")[1], prepared("3/3")[1])]
    assert 0 < values[0] < values[1]
    _, exact = prepared()
    with exact.model.full_precision():
        assert model_sard(exact, exact.trainer.teacher(), images=3) == 0
