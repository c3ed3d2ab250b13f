"""The search ``nuclear``: bits by the nuclear norm of attention maps and MLP outputs (eq. 16-17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import torch
from torch import Tensor

from harness import Context, InstrumentedModel, MinMax, Search, finite_weight

from .modules import Module, assign, at_bits, candidates_of, modules_of, submodule
from .options import NuclearOptions


def nuclear_norm(matrices: Tensor) -> Tensor:
    """Sum of singular values of each matrix, (..., n, m) -> (...), float64 (the "tr" of eq. 16)."""
    norms: Tensor = torch.linalg.svdvals(matrices.double()).sum(-1)
    return norms


class NuclearSearch(Search[NuclearOptions]):
    """``Omega_i(b) = ||A_i||_* ||A_hat_i - A_i||^2`` of each module, and the least sum within the size.

    ``A_i``: attention map of an MSA module (eq. 3, or after the softmax; norms summed over heads), output
    feature of an MLP module; both factors are means over pictures. ``A_hat_i`` comes from quantizing that module
    alone, on its full-precision input and over the full range. One pass over the pictures: at each module
    the pass repeats just that module, once for every bit-width.
    """

    @torch.no_grad()
    def run(self, context: Context) -> None:
        """Set the bits; raises :class:`harness.QuantizationError` (see :mod:`.modules`)."""
        model = context.model
        bits = candidates_of(context, self.options)
        modules = modules_of(model, "nuclear")
        images = range(min(self.options.images, len(context.calibration)))
        ranges = full_ranges(context, modules, images)
        busy = Event()
        meters = {module.name: _Meter(model, module, bits, ranges, busy, self.options) for module in modules}
        with model.full_precision():
            handles = [submodule(model, module.owner).register_forward_hook(meters[module.name], with_kwargs=True)
                       for module in modules]
            try:
                for _ in context.calibration.responses(model, indices=images):
                    pass
            finally:
                for handle in handles:
                    handle.remove()
        assign(context, "nuclear", modules, {name: meter.sensitivity() for name, meter in meters.items()})


def full_ranges(context: Context, modules: list[Module], images: range) -> dict[str, tuple[Tensor, Tensor]]:
    """Smallest and largest value at each site of the modules, in full precision."""
    observers = {path: MinMax(quantizer.partition) for module in modules
                 for path, quantizer in module.quantizers.items()}
    activations = {}
    for path, observer in observers.items():
        if context.model.sites[path].is_weight:
            observer.observe(finite_weight(context.model, path))
        else:
            activations[path] = observer.observe
    if activations:
        with context.model.full_precision():
            context.calibration.observe(context.model, sites=activations, indices=images)
    return {path: observer.range() for path, observer in observers.items()}


class _Meter:
    """A forward hook that repeats its module at every bit-width, on the input at hand."""

    def __init__(self, model: InstrumentedModel, module: Module, bits: tuple[int, ...],
                 ranges: dict[str, tuple[Tensor, Tensor]], busy: Event, options: NuclearOptions) -> None:
        self.options = options
        self.busy = busy  # a module inside of the one that is repeated must not start to measure
        self.model, self.module, self.bits, self.ranges = model, module, bits, ranges
        self.norm, self.images = 0.0, 0
        self.distance = dict.fromkeys(bits, 0.0)

    def __call__(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if self.busy.is_set():
            return
        self.busy.set()
        try:
            self._measure(lambda: owner.forward(*args, **kwargs))
        finally:
            self.busy.clear()

    def _measure(self, forward: Callable[[], object]) -> None:
        reference = self._feature(forward)
        self.images += len(reference)
        self.norm += nuclear_norm(reference).sum().item()
        for bits in self.bits:
            with at_bits(self.module, bits, self.ranges):
                quantized = self._feature(forward)
            self.distance[bits] += (quantized.double() - reference).square().sum().item()

    def sensitivity(self) -> dict[int, float]:
        """``Omega_i`` of each bit-width."""
        return {bits: self.norm / self.images * distance / self.images for bits, distance in self.distance.items()}

    def _feature(self, forward: Callable[[], object]) -> Tensor:
        with _watching(self.model, self.module, self.options.attention) as seen:
            forward()
        return seen[0]


@contextmanager
def _watching(model: InstrumentedModel, module: Module, attention: str) -> Iterator[list[Tensor]]:
    seen: list[Tensor] = []
    if module.kind == "mlp":
        handle = submodule(model, module.feature).register_forward_hook(lambda _, inputs, output: seen.append(output))
    elif attention == "softmax":
        handle = submodule(model, module.feature).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    else:
        scores = next(site.operation for path in module.quantizers if (site := model.sites[path]).operand == "query")
        # Eq. 3 is the bare product; the operation's third input is the scale that it multiplies with.
        handle = submodule(model, scores).register_forward_hook(
            lambda _, inputs, output: seen.append(output / inputs[2]))
    try:
        yield seen
    finally:
        handle.remove()
