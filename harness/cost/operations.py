"""What an instrumented model computes: one costed operation a product, traced from one forward.

This is the only source of every cost: multiply-accumulates come from the shapes that were seen,
bits and groups from the quantizers that are really placed. Nothing is self-reported by a method.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..model.instrument import InstrumentedModel
from ..model.operations import (
    Quantizable,
    QuantizableConv2d,
    QuantizableConvTranspose2d,
    QuantizableEmbedding,
    QuantizableLinear,
)
from ..model.site import Layout, Site
from ..quantizers.base import Identity, Quantizer

FULL_PRECISION_BITS = 32


@dataclass(frozen=True)
class Operand:
    """One operand of an operation: its site, its number of elements, and how it is quantized.

    ``elements`` are those of the whole weight, or of the activation for one sample. ``quantizer`` to
    ``dynamic`` are what :meth:`harness.Quantizer.describe` says; a quantizer that is switched off counts as
    full precision. ``positions``: how many channels, rows or heads share the groups. ``summed_groups``: how
    many groups meet inside the sum of one output, each with a partial sum to rescale (1: none). ``expansion``: how
    many elements the operation really uses for each of ``elements``.
    """

    site: str
    operand: str
    elements: int
    quantizer: str
    bits: int | tuple[int, ...]
    granularity: str
    groups: int
    dynamic: bool
    positions: int = 1
    summed_groups: int = 1
    expansion: float = 1.0

    @property
    def mean_bits(self) -> float:
        """Bits of an element, averaged over the slots (heads and modules are slots of equal size)."""
        return sum(self.bits) / len(self.bits) if isinstance(self.bits, tuple) else float(self.bits)

    @property
    def quantized(self) -> bool:
        """Whether the operand has fewer than the 32 bits of full precision."""
        return self.mean_bits < FULL_PRECISION_BITS


@dataclass(frozen=True)
class Operation:
    """One product, for one input sample.

    ``kind``: ``linear``, ``conv``, ``conv_transpose``, ``embedding``, ``scores`` (q k^T) or ``values``
    (attention times v). ``macs`` multiply-accumulates, ``outputs`` elements produced, ``inner`` length of the
    sum of one output (of the last call, where an operation is called several times), so that
    ``macs == outputs * inner``. The outputs of a transposed convolution have sums of different lengths:
    ``inner`` is the longest, ``macs`` those of all inputs (as torch counts, with what padding cuts off).
    ``rows``: independent rows of the left operand (tokens; heads x tokens for a product of attention).

    Where an operand is expanded, ``macs`` and ``inner`` are those of the expanded operation (:attr:`expansion` times
    :attr:`plain_macs`), so that a convention need not know of it.
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

    @property
    def expansion(self) -> float:
        """MACs that are really done for each of the model's own (see :func:`expansion`)."""
        return math.prod(operand.expansion for operand in self.operands)

    @property
    def plain_macs(self) -> int:
        """The MACs of the model as it was given, without what its operands were expanded by."""
        return round(self.macs / self.expansion)

    def operand(self, name: str) -> Operand:
        """The operand of that name (``weight``, ``input``, ``query``, ...)."""
        return next(operand for operand in self.operands if operand.operand == name)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a record."""
        return asdict(self)


def expansion(operation: Quantizable) -> float:
    """How many input channels the operation really has for each plain one: the product over its operands.

    Duplicated channels are in both operands, whichever of the two asked for them. 1 where nothing is expanded.
    """
    placed: list[Quantizer] = list(operation.quantizers.values())  # type: ignore[arg-type]
    return math.prod(quantizer.describe().get("expansion", 1.0) for quantizer in placed if quantizer.enabled)


@torch.no_grad()
def trace(model: InstrumentedModel, run: Callable[[InstrumentedModel], Any], samples: int = 1) -> list[Operation]:
    """The operations of ``model``, in the order in which ``run(model)`` calls them.

    ``run`` does one forward of ``samples`` inputs; counts are per sample. An operation that is called
    several times (a head shared by feature levels) is summed. The quantizers are off during the forward:
    where shapes depend on values (proposals of a detector), every method is counted on the same ones.
    """
    seen: dict[str, _Counts] = defaultdict(_Counts)
    handles = [operation.register_forward_hook(_counter(seen, path, operation))
               for path, operation in model.operations.items()]
    try:
        with model.full_precision():
            run(model)
    finally:
        for handle in handles:
            handle.remove()
    return [_operation(model, path, counts, samples) for path, counts in seen.items()]


@dataclass
class _Counts:
    """What the calls of one operation add up to; ``inner`` and ``summed`` are those of the last call.

    ``summed``: positions of the partitioned axis that one output sums over (input channels).
    """

    macs: int = 0
    outputs: int = 0
    rows: int = 0
    left: int = 0
    right: int = 0
    inner: int = 0
    summed: int = 0


def _counter(seen: dict[str, _Counts], path: str, operation: Quantizable) -> Callable[..., None]:
    def count(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        tensors = [tensor for tensor in inputs if isinstance(tensor, Tensor) and tensor.dim() > 0]
        counts, each = seen[path], None
        if isinstance(operation, QuantizableEmbedding):
            counts.inner, columns = 0, output.shape[-1]
        elif isinstance(operation, QuantizableLinear | QuantizableConv2d):
            columns, counts.summed = operation.weight.shape[:2]
            counts.inner = math.prod(operation.weight.shape[1:])
        elif isinstance(operation, QuantizableConvTranspose2d):
            conv: nn.ConvTranspose2d = operation.__dict__["original"]
            columns, counts.summed = conv.out_channels, conv.in_channels // conv.groups
            counts.inner = counts.summed * _meeting_taps(conv)
            each = math.prod(operation.weight.shape[1:])
        else:
            counts.right += tensors[1].numel()
            counts.inner = counts.summed = tensors[0].shape[-1]
            columns = output.shape[-1]
        counts.left += tensors[0].numel()
        counts.outputs += output.numel()
        counts.rows += output.numel() // columns
        counts.macs += output.numel() * counts.inner if each is None else tensors[0].numel() * each
    return count


def _meeting_taps(conv: nn.ConvTranspose2d) -> int:
    """The most taps of the kernel that meet at one output."""
    return math.prod(math.ceil(taps * math.gcd(step, dilation) / step)
                     for taps, step, dilation in zip(conv.kernel_size, conv.stride, conv.dilation, strict=True))


def _operation(model: InstrumentedModel, path: str, counts: _Counts, samples: int) -> Operation:
    sites, twin = model.sites_of(path), model.operation(path)
    first = next(iter(sites.values()))
    kind = {"QuantizableLinear": "linear", "QuantizableConv2d": "conv",
            "QuantizableConvTranspose2d": "conv_transpose", "QuantizableEmbedding": "embedding",
            "QuantizableScores": "scores"}.get(type(twin).__name__, "values")
    operands = []
    for operand, site in sites.items():
        left = operand in ("input", "query", "attention")
        elements = (math.prod(size or 1 for size in site.layout.sizes) if site.is_weight
                    else (counts.left if left else counts.right) // samples)
        operands.append(_operand(site, model.quantizer(site.path), kind, elements, counts, samples))
    expanded = expansion(twin)
    return Operation(path, kind, first.role, first.block, round(counts.macs // samples * expanded),
                     counts.outputs // samples, round(counts.inner * expanded), counts.rows // samples,
                     tuple(operands))


def _operand(site: Site, quantizer: Quantizer, kind: str, elements: int, counts: _Counts, samples: int) -> Operand:
    described = (quantizer if quantizer.enabled else Identity()).describe()
    if isinstance(described["bits"], list):
        described["bits"] = tuple(described["bits"])
    axis = _slot_axis(site.layout, described["granularity"])
    if axis is None:
        return Operand(site.path, site.operand, elements, **described)
    is_row = axis == site.layout.row
    positions = counts.rows // samples if is_row else site.layout.sizes[axis] or counts.inner
    summed = min(described["groups"], counts.summed) if axis in _summed_axes(kind, site.operand) else 1
    return Operand(site.path, site.operand, elements, **described, positions=positions, summed_groups=summed)


def _slot_axis(layout: Layout, granularity: str) -> int | None:
    """The axis along which the slots of ``granularity`` lie; ``None`` where one slot has the whole tensor.

    The core's words are those of :data:`harness.model.site.GRANULARITIES`; any other word (``"group of 8"``,
    a plugin's ``"learned groups"``) means slots along rows if it speaks of rows, else along channels.
    """
    if granularity in ("none", "tensor"):
        return None
    if granularity in ("head", "module", "module_head"):
        return layout.split.axis if layout.split else None
    return layout.row if "row" in granularity else layout.channel


def _summed_axes(kind: str, operand: str) -> tuple[int, ...]:
    """The axes that the product sums over, in the layout of ``operand``'s site."""
    if kind == "conv":
        return (-3, -2, -1) if operand == "weight" else (-3,)
    if kind == "conv_transpose":
        return (-4, -2, -1) if operand == "weight" else (-3,)
    return (-2,) if operand == "value" else (-1,)
