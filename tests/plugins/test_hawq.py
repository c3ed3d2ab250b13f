"""HAWQ-v2: traces against exact Hessians, the sensitivity, the exact choice, and the search as a whole."""

from __future__ import annotations

import itertools

import pytest
import torch
from allocation_cases import allocated, check_run, space_of
from torch import Tensor

from harness import Bits, OptionError, QuantizationError, bit_operations, weight_bytes
from harness.options import resolve
from harness.testing.toy import toy_context
from harness_plugins.hawq.options import HawqOptions
from harness_plugins.hawq.search import HawqSearch
from harness_plugins.hawq.trace import hutchinson, traces_of_task_loss

QUICK = {"samples": 8, "probes": 3}


def test_a_diagonal_hessian_gives_its_trace_with_every_vector() -> None:
    weight = torch.randn(3, requires_grad=True)
    loss = 0.5 * (torch.tensor([1.0, 2.0, 3.0]) * weight.square()).sum()
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        assert hutchinson(loss, {"w": weight}, 1, generator) == {"w": pytest.approx(6)}


def test_the_mean_over_vectors_comes_to_the_trace_of_each_weight() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(7, 7, dtype=torch.float64)
    hessian = mixing @ mixing.mT
    first = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    second = torch.randn(3, dtype=torch.float64, requires_grad=True)
    both = torch.cat([first.flatten(), second])
    traces = hutchinson(0.5 * both @ hessian @ both, {"a": first, "b": second}, 3000, torch.Generator().manual_seed(0))
    diagonal = hessian.diagonal()
    assert traces["a"] == pytest.approx(float(diagonal[:4].sum()), rel=0.05)
    assert traces["b"] == pytest.approx(float(diagonal[4:].sum()), rel=0.05)


def test_traces_are_those_of_the_task_loss_of_the_model_in_full_precision() -> None:
    """Through attention, softmax, GELU and normalisation, against the exact Hessian of the classifier's weight."""
    context = toy_context(Bits(4, 4))
    path, weight = "head.weight", context.model.operation("head").get_parameter("weight")
    found = traces_of_task_loss(context, [path], resolve(HawqOptions, {"samples": 16, "probes": 400}, "search hawq"))
    assert context.trainer is not None
    batch = next(iter(context.trainer.task.pool().batches(range(16), 16)))

    def loss(values: Tensor) -> Tensor:
        logits = torch.func.functional_call(context.model, {"model.head.weight": values}, (batch.inputs,))
        return torch.nn.functional.cross_entropy(logits, batch.targets)

    size = weight.numel()
    hessian = torch.autograd.functional.hessian(loss, weight.detach()).reshape(size, size)
    assert found[path] == pytest.approx(float(hessian.diagonal().sum()), rel=0.1)




def test_the_model_is_left_as_it_was() -> None:
    context = toy_context(Bits(4, 4))
    parameters = dict(context.model.named_parameters())
    parameters["model.stem.weight"].requires_grad_(False)
    before = {name: parameter.requires_grad for name, parameter in parameters.items()}
    traces_of_task_loss(context, ["stem.weight", "head.weight"], resolve(HawqOptions, QUICK, "search hawq"))
    assert {name: parameter.requires_grad for name, parameter in parameters.items()} == before
    assert all(parameter.grad is None for parameter in parameters.values())


def test_a_weight_that_the_loss_does_not_see_has_no_trace() -> None:
    seen, linear, unseen = (torch.ones(2, requires_grad=True) for _ in range(3))
    loss = seen.square().sum() + linear.sum()
    traces = hutchinson(loss, {"seen": seen, "linear": linear, "unseen": unseen}, 2, torch.Generator())
    assert traces == {"seen": 4.0, "linear": 0.0, "unseen": 0.0}


class Once(torch.autograd.Function):
    """Half the square, with a first derivative only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square() / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0]


def test_a_loss_without_a_second_derivative_is_named() -> None:
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(QuantizationError, match="cannot differentiate this task's loss twice"):
        hutchinson(Once.apply(weight).square().sum(), {"w": weight}, 1, torch.Generator())


@pytest.mark.parametrize("measure", ["size", "bops"])
def test_the_choice_is_the_best_of_all(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only a few layers have a trace, all choices for them can be tried: the others take the fewest bits."""
    from harness_plugins.hawq import search as module

    traces = {"blocks.0.attn.qkv.weight": 2.0, "blocks.0.fc1.weight": 30.0, "blocks.1.fc2.weight": 9.0,
              "blocks.1.attn.proj.weight": 4.0, "head.weight": 11.0, "stem.weight": 1.0}
    space = space_of((2, 4, 6))
    others = [path for path, site in space.sites.items() if site.is_weight and path not in traces]
    monkeypatch.setattr(module, "traces_of_task_loss",
                        lambda context, paths, options: {path: traces.get(path, 0.0) for path in paths})
    context = allocated("hawq", candidates=[2, 4, 6], measure=measure, budget=0.9)
    assert all(context.allocation[path] == 2 for path in others)
    assert all(bits == 4 for path, bits in context.allocation.items() if not space.sites[path].is_weight)
    counted = weight_bytes if measure == "size" else bit_operations
    best, chosen = float("inf"), {}
    for each in itertools.product((2, 4, 6), repeat=len(traces)):
        bits = dict(zip(traces, each, strict=True))
        if space.total(bits | dict.fromkeys(others, 2), counted) <= 0.9 * space.total({}, counted):
            omega = 0.0
            for path, b in bits.items():
                weight = space.base.model.operation(space.sites[path].operation).get_parameter("weight").detach()
                error = float((space.quantizers(b)[path](weight).detach() - weight).square().sum())
                omega += traces[path] / weight.numel() * error
            if omega < best:
                best, chosen = omega, bits
    assert {path: context.allocation[path] for path in traces} == chosen
    assert len(set(chosen.values())) > 1


@pytest.mark.parametrize("method", ["minmax", "lsq"])
@pytest.mark.parametrize("measure", ["size", "bops"])
def test_it_runs_with_any_method(method: str, measure: str) -> None:
    context = check_run("hawq", method, candidates=[2, 4, 6], measure=measure, **QUICK)
    notes = context.notes["allocation"]
    assert set(notes["traces"]) == {context.model.sites[path].operation for path in context.allocation
                                    if path.endswith("weight")}
    assert all(bits == 4 for path, bits in context.allocation.items() if not path.endswith("weight"))


def test_the_same_seed_gives_the_same_search() -> None:
    first, second, other = (allocated("hawq", seed=seed, **QUICK) for seed in (0, 0, 1))
    assert first.notes["allocation"] == second.notes["allocation"]
    assert first.notes["allocation"]["traces"] != other.notes["allocation"]["traces"]


def test_a_task_without_a_loss_is_named() -> None:
    context = allocated("hawq", **QUICK)
    context.trainer = None
    with pytest.raises(OptionError, match="this task has none"):
        HawqSearch(resolve(HawqOptions, QUICK, "search hawq")).run(context)


def test_the_defaults_are_the_papers() -> None:
    assert HawqOptions().probes == 50
