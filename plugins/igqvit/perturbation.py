"""What a number of groups does to the predictions: Eq. (9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harness import Context, QuantizationError

from .options import GroupSearchOptions
from .quantizer import InstanceGroups
from .replay import recording, replaying

Bounds = tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]
"""What :meth:`InstanceGroups.set_bounds` takes."""

Candidates = Mapping[str, Mapping[int, Bounds]]
"""Site -> number of groups -> their bounds."""


@torch.no_grad()
def perturbations(context: Context, quantizers: Mapping[str, InstanceGroups], candidates: Candidates,
                  options: GroupSearchOptions) -> dict[str, dict[int, float]]:
    """Site -> number of groups -> psi(g, l), the mean over the allocation images.

    psi(g, l) compares the predictions with layer l quantized in g groups (its other operand too) with those
    with layer l in full precision; all other layers are quantized, or in full precision (``others``).
    """
    model, divergence = context.model, _divergence(context, options)
    elsewhere = set() if options.others == "quantized" else set(model.sites)
    every = 1 if context.kind == "detection" else len(context.calibration)
    count = min(options.images or every, len(context.calibration))
    psi = {path: dict.fromkeys(bounds, 0.0) for path, bounds in candidates.items()}
    batches = list(_slices(count, context.calibration.batch_size))
    with context.progress("perturbation of groups", len(batches) * len(quantizers)) as advance:
        for batch in batches:
            with model.full_precision(elsewhere), recording(model) as tape:
                _predictions(context, batch)
            for path, quantizer in quantizers.items():
                operation = model.sites[path].operation
                own = {site.path for site in model.sites_of(operation).values()}
                now = (*quantizer.bounds, quantizer.ends)
                with replaying(model, tape, operation) as rewind:
                    rewind()
                    with model.full_precision(elsewhere | own):
                        reference = _predictions(context, batch)
                    for groups, bounds in candidates[path].items():
                        quantizer.set_bounds(*bounds)
                        rewind()
                        with model.full_precision(elsewhere - own):
                            value = divergence(reference, _predictions(context, batch))
                        psi[path][groups] += max(float(value), 0.0) * len(batch) / count
                quantizer.set_bounds(*now)
                advance()
    return psi


def _predictions(context: Context, indices: Sequence[int]) -> Any:
    (outputs,) = context.calibration.responses(context.model, indices)
    return outputs


def _slices(count: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, count)) for start in range(0, count, size))


def _divergence(context: Context, options: GroupSearchOptions) -> Callable[[Any, Any], Tensor]:
    if options.metric == "kl":
        return context.divergence

    def squared(reference: Any, outputs: Any) -> Tensor:
        if not isinstance(reference, Tensor):
            raise QuantizationError(f"metric mse needs predictions in one tensor, not {type(reference).__name__}",
                                    "Use metric=kl, which the task defines for its predictions")
        return (reference.double() - outputs.double()).square().mean()
    return squared
