"""What an instrumented model computes: one costed operation a product, traced from one forward.

This is the only source of every cost: multiply-accumulates come from the shapes that were seen,
bits and groups from the quantizers that are really placed. Nothing is self-reported by a method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..model.instrument import InstrumentedModel
from ..model.operations import Quantizable, QuantizableConv2d, QuantizableEmbedding, QuantizableLinear


@dataclass(frozen=True)
class Operand:
    """One operand of an operation: its site, its number of elements, and how it is quantized.

    ``elements`` are those of the whole weight, or of the activation for one sample. The other fields
    are what :meth:`harness.Quantizer.describe` says.
    """

    site: str
    operand: str
    elements: int
    quantizer: str
    bits: int | tuple[int, ...]
    granularity: str
    groups: int
    dynamic: bool

    @property
    def mean_bits(self) -> float:
        """Bits of an element, averaged over the slots."""
        return sum(self.bits) / len(self.bits) if isinstance(self.bits, tuple) else float(self.bits)


@dataclass(frozen=True)
class Operation:
    """One product, for one input sample.

    ``kind``: ``linear``, ``conv``, ``embedding``, ``scores`` (q k^T) or ``values`` (attention times v).
    ``macs`` multiply-accumulates, ``outputs`` elements produced, ``inner`` length of the reduced axis,
    so that ``macs == outputs * inner``. ``rows``: independent rows of the left operand (tokens; heads x
    tokens for a product of attention).
    """

    path: str
    kind: str
    role: str
    block: int | None
    macs: int
    outputs: int
    inner: int
    rows: int
    operands: tuple[Operand, ...]

    def operand(self, name: str) -> Operand:
        """The operand of that name (``weight``, ``input``, ``query``, ...)."""
        return next(operand for operand in self.operands if operand.operand == name)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a record."""
        return asdict(self)


@torch.no_grad()
def trace(model: InstrumentedModel, run: Callable[[InstrumentedModel], Any], samples: int = 1) -> list[Operation]:
    """The operations of ``model``, in the order in which ``run(model)`` calls them.

    ``run`` does one forward of ``samples`` inputs; counts are per sample. An operation that is called
    several times (a head shared by feature levels) is summed.
    """
    seen: dict[str, dict[str, int]] = {}
    handles = [operation.register_forward_hook(_counter(seen, path, operation))
               for path, operation in model.operations.items()]
    try:
        run(model)
    finally:
        for handle in handles:
            handle.remove()
    return [_operation(model, path, counts, samples) for path, counts in seen.items()]


def _counter(seen: dict[str, dict[str, int]], path: str, operation: Quantizable) -> Callable[..., None]:
    def count(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        tensors = [tensor for tensor in inputs if isinstance(tensor, Tensor) and tensor.dim() > 0]
        counts = seen.setdefault(path, {"outputs": 0, "left": 0, "right": 0, "inner": 0, "columns": 1})
        counts["outputs"] += output.numel()
        counts["left"] += tensors[0].numel()
        if isinstance(operation, QuantizableEmbedding):
            counts["inner"] = 0
        elif isinstance(operation, QuantizableLinear | QuantizableConv2d):
            counts["inner"] = math.prod(operation.weight.shape[1:])
            counts["columns"] = operation.weight.shape[0]
        else:
            counts["right"] += tensors[1].numel()
            counts["inner"], counts["columns"] = tensors[0].shape[-1], output.shape[-1]
    return count


def _operation(model: InstrumentedModel, path: str, counts: dict[str, int], samples: int) -> Operation:
    sites, twin = model.sites_of(path), model.operation(path)
    first = next(iter(sites.values()))
    kind = {"QuantizableLinear": "linear", "QuantizableConv2d": "conv", "QuantizableEmbedding": "embedding",
            "QuantizableScores": "scores"}.get(type(twin).__name__, "values")
    operands = []
    for operand, site in sites.items():
        side = "left" if operand in ("input", "query", "attention") else "right"
        elements = twin.weight.numel() if operand == "weight" else counts[side] // samples  # type: ignore[union-attr]
        described = model.quantizer(site.path).describe()
        if isinstance(described["bits"], list):
            described["bits"] = tuple(described["bits"])
        operands.append(Operand(site.path, operand, elements, **described))
    outputs = counts["outputs"] // samples
    return Operation(path, kind, first.role, first.block, outputs * counts["inner"], outputs, counts["inner"],
                     outputs // counts["columns"], tuple(operands))
