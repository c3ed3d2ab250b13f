"""The search ``hessian``: bits by the trace of the Hessian (HAWQ-v2), the baseline of Table 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from harness import Context, QuantizationError, Search, Uniform

from .modules import assign, at_bits, candidates_of, modules_of
from .nuclear import full_ranges
from .options import HessianOptions


class HessianSearch(Search[HessianOptions]):
    """``Omega_i(b) = sum over weights of tr(H) / n * ||Q_b(W) - W||^2``, least sum within the size.

    ``H`` is the Hessian of the task's divergence from the full-precision outputs; at the full-precision
    weights that is the Fisher matrix of a classifier, and no labels are needed. Traces by Hutchinson:
    mean of ``v' H v`` over Rademacher vectors ``v``.
    """

    def run(self, context: Context) -> None:
        """Set the bits; raises :class:`harness.QuantizationError` (see :mod:`.modules`)."""
        model = context.model
        bits = candidates_of(context, self.options)
        modules = modules_of(model, "hessian")
        images = range(min(self.options.images, len(context.calibration)))
        weights: dict[str, nn.Parameter] = {
            path: model.operation(model.sites[path].operation).get_parameter("weight")
            for module in modules for path in module.quantizers if model.sites[path].is_weight}
        traces = hutchinson(context, weights, self.options.probes, images)
        ranges = full_ranges(context, modules, images)
        sensitivity: dict[str, dict[int, float]] = {}
        for module in modules:
            own = {path: quantizer for path, quantizer in module.quantizers.items() if path in weights}
            sensitivity[module.name] = {}
            for count in bits:
                with at_bits(module, count, ranges), torch.no_grad():
                    sensitivity[module.name][count] = sum(
                        traces[path] / weights[path].numel() * _distance(quantizer, weights[path])
                        for path, quantizer in own.items())
        assign(context, "hessian", modules, sensitivity)


def _distance(quantizer: Uniform, weight: Tensor) -> float:
    return (quantizer.quantize(weight).double() - weight).square().sum().item()


def hutchinson(context: Context, weights: Mapping[str, nn.Parameter], probes: int, images: range) -> dict[str, float]:
    """Estimated trace of each weight's Hessian of the divergence, mean over ``images``; >= 0.

    One vector probes all weights at once: the parts of it are independent, so cross terms have mean 0.
    Raises :class:`harness.QuantizationError` where the divergence cannot be differentiated.
    """
    model, calibration = context.model, context.calibration
    required = {path: weight.requires_grad for path, weight in weights.items()}
    traces, seen = dict.fromkeys(weights, 0.0), 0
    with model.full_precision():
        try:
            for weight in weights.values():
                weight.requires_grad_(True)
            for inputs in calibration.batches(indices=images):
                with torch.enable_grad():
                    outputs = calibration.response(model, inputs)
                    gradients = _gradients(context.divergence(_detached(outputs), outputs), weights)
                size = min(calibration.batch_size, len(images) - seen)
                for _ in range(probes):
                    vectors = [torch.randint(0, 2, weight.shape, generator=context.generator).to(weight) * 2 - 1
                               for weight in weights.values()]
                    products = torch.autograd.grad(gradients, list(weights.values()), vectors, retain_graph=True)
                    for path, vector, product in zip(weights, vectors, products, strict=True):
                        traces[path] += size / probes * (vector * product).sum(dtype=torch.float64).item()
                seen += size
        finally:
            for path, weight in weights.items():
                weight.requires_grad_(required[path])
    return {path: max(trace / seen, 0.0) for path, trace in traces.items()}


def _gradients(divergence: Tensor, weights: Mapping[str, nn.Parameter]) -> tuple[Tensor, ...]:
    if not divergence.requires_grad:
        raise QuantizationError("this task's divergence has no gradient, which the Hessian needs",
                                "Use mixed_precision=nuclear")
    return torch.autograd.grad(divergence, list(weights.values()), create_graph=True)


def _detached(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.detach()
    if isinstance(outputs, Mapping):
        return {name: _detached(value) for name, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return type(outputs)(_detached(value) for value in outputs)
    return outputs
