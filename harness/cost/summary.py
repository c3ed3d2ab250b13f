"""The costs and the coverage of a quantized model, as a record holds them."""

from __future__ import annotations

from typing import Any

from ..model.instrument import InstrumentedModel
from ..registry import Registry
from .coverage import Run, coverage
from .operations import trace
from .size import parameters, sizes


def summarize(model: InstrumentedModel, run: Run, registry: Registry, samples: int = 1) -> dict[str, Any]:
    """What ``model`` costs for one sample, from one forward ``run(model)`` of ``samples`` inputs.

    ``macs``; ``bops``: convention -> bit-operations, for every contributed convention; ``parameters``;
    ``sizes``: convention -> bytes; ``coverage``: see :func:`harness.cost.coverage.coverage`.
    """
    operations = trace(model, run, samples)
    return {
        "macs": sum(operation.macs for operation in operations),
        "bops": {name: float(registry.component(spec)(operations)) for name, spec in registry.costs.items()},
        "parameters": parameters(model),
        "sizes": sizes(model),
        "coverage": coverage(model, run, operations, samples),
    }
