"""Hutchinson's estimate of the trace of the Hessian, one for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness import Context, OptionError, QuantizationError, View

from .options import HawqOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


def hutchinson(loss: Tensor, weights: Mapping[str, Tensor], probes: int, generator: torch.Generator
               ) -> dict[str, float]:
    """Mean of ``v^T H v`` over ``probes`` Rademacher vectors v, with H the Hessian of ``loss`` in each of ``weights``.

    One vector probes all weights at once: the parts of it are independent, so that cross terms have mean 0. A weight
    that the loss does not depend on has a trace of 0. Raises :class:`harness.QuantizationError` for a loss that can be
    differentiated only once.
    """
    found = torch.autograd.grad(loss, list(weights.values()), create_graph=True, allow_unused=True)
    gradients = {path: gradient for path, gradient in zip(weights, found, strict=True)
                 if gradient is not None and gradient.requires_grad}
    _refuse_first_order(gradients.values())
    traces = dict.fromkeys(weights, 0.0)
    for _ in range(probes if gradients else 0):
        vectors = {path: (torch.randint(0, 2, weight.shape, generator=generator) * 2 - 1).to(weight)
                   for path, weight in weights.items()}
        for path, product in _products(gradients, weights, vectors).items():
            traces[path] += (vectors[path] * product).sum(dtype=torch.float64).item() / probes
    return traces


def _products(gradients: Mapping[str, Tensor], weights: Mapping[str, Tensor], vectors: Mapping[str, Tensor]
              ) -> dict[str, Tensor]:
    """``H v`` of each weight that has a gradient."""
    try:
        products = torch.autograd.grad(
            list(gradients.values()), [weights[path] for path in gradients], [vectors[path] for path in gradients],
            retain_graph=True, allow_unused=True, materialize_grads=True)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # autograd has no class of its own for a missing second derivative
        raise _first_order(str(error)) from error
    return dict(zip(gradients, products, strict=True))


def _refuse_first_order(gradients: Iterable[Tensor]) -> None:
    """A function whose author marked it ``once_differentiable`` leaves a node that raises when it is run, but a product
    with the Hessian need not run it: its part would be missing without a word.
    """
    waiting, seen = [gradient.grad_fn for gradient in gradients], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::Error":
            raise _first_order("a function of the model or the loss has a first derivative only")
        waiting += [following for following, _ in node.next_functions]


def _first_order(why: str) -> QuantizationError:
    return QuantizationError(f"hawq cannot differentiate this task's loss twice: {why}",
                             "Use another search (haq, edmips, fracbits)")


def traces_of_task_loss(context: Context, paths: list[str], options: HawqOptions) -> dict[str, float]:
    """The traces of the task's loss on training samples, for the weights at ``paths``, of the model in full precision.

    Raises :class:`harness.OptionError` for a task without a training loss.
    """
    if context.trainer is None:
        raise OptionError("hawq differentiates the task's training loss, and this task has none",
                          "Use a task that can be trained on, or another search")
    trainer, model = context.trainer, context.model
    weights = {path: model.operation(model.sites[path].operation).get_parameter("weight") for path in paths}
    count = min(options.samples, len(trainer.samples.ids))
    chosen = torch.randperm(len(trainer.samples.ids), generator=context.generator)[:count].tolist()
    traces = dict.fromkeys(paths, 0.0)
    batches = range(0, count, options.batch_size)
    with model.full_precision(), _differentiable(model, weights), context.progress("hawq", len(batches)) as advance:
        for start in batches:
            views = [View(index) for index in chosen[start:start + options.batch_size]]
            loss, _ = trainer.task.objective(model, trainer.load(views))
            for path, trace in hutchinson(loss, weights, options.probes, context.generator).items():
                traces[path] += trace * len(views) / count
            advance()
    return traces


@contextmanager
def _differentiable(model: nn.Module, weights: Mapping[str, nn.Parameter]) -> Iterator[None]:
    """Gradients of these weights alone; afterwards the parameters require what they did before."""
    required = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        model.requires_grad_(False)
        for weight in weights.values():
            weight.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for parameter, before in required.items():
            parameter.requires_grad_(before)
