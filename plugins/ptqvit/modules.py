"""The attention and MLP modules that mixed precision gives one bit-width each, and setting it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from harness import Context, InstrumentedModel, QuantizationError, Site, Uniform, uniform_quantizers

from .allocation import allocate
from .options import AllocationOptions

_ATTENTION = ("qkv", "query", "key", "value", "attention", "proj")
_MLP = ("fc1", "fc2")


@dataclass(frozen=True)
class Module:
    """One MSA or MLP module: its uniform quantizers by site path, and its parameters' number.

    ``name``: ``"3.msa"``, ``"3.mlp"`` (block index). ``owner``: path of the module that contains all of it.
    ``feature``: path of the operation whose input (attention map) or output (MLP) eq. 17 looks at.
    """

    name: str
    kind: str
    owner: str
    feature: str
    quantizers: Mapping[str, Uniform]
    parameters: int


def modules_of(model: InstrumentedModel, search: str) -> list[Module]:
    """Every quantized MSA and MLP module, in order.

    Raises :class:`harness.QuantizationError` for a quantizer that is not uniform, and where there is no
    such module.
    """
    groups: dict[tuple[int, str], dict[str, Uniform]] = {}
    for path, quantizer in uniform_quantizers(model, search):
        site = model.sites[path]
        kind = "msa" if site.role in _ATTENTION else "mlp" if site.role in _MLP else ""
        if kind and site.block is not None:
            groups.setdefault((site.block, kind), {})[path] = quantizer
    found = [_module(model, block, kind, quantizers) for (block, kind), quantizers in groups.items()]
    if not found:
        raise QuantizationError(f"{search} found no attention or MLP module with uniform quantizers",
                                "Use mixed_precision=off for this model")
    return found


def _module(model: InstrumentedModel, block: int, kind: str, quantizers: Mapping[str, Uniform]) -> Module:
    sites = [model.sites[path] for path in quantizers]
    feature = _feature(sites, kind)
    owner = _common_owner(site.operation for site in sites)
    weights = {site.operation for site in sites if site.is_weight}
    count = sum(p.numel() for path in weights for p in model.operation(path).parameters(recurse=False))
    return Module(f"{block}.{kind}", kind, owner, feature, quantizers, count)


def _feature(sites: Iterable[Site], kind: str) -> str:
    wanted = ("attention", "value") if kind == "msa" else ("weight", "input")
    roles = ("attention", "value") if kind == "msa" else ("fc2", "fc1")
    ranked = sorted((site for site in sites if site.operand in wanted and site.role in roles),
                    key=lambda site: roles.index(site.role))
    if not ranked:
        raise QuantizationError(f"an {kind.upper()} module has no quantized "
                                f"{'attention map' if kind == 'msa' else 'layer'} to measure",
                                "Quantize all of its operands, or use mixed_precision=off")
    return ranked[0].operation


def _common_owner(paths: Iterable[str]) -> str:
    parts = [path.split(".")[:-1] for path in paths]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return ".".join(common)


def assign(context: Context, search: str, modules: list[Module],
           sensitivity: Mapping[str, Mapping[int, float]]) -> None:
    """Write the bits of least total sensitivity within the size of uniform bits into the quantizers."""
    bits = allocate([module.parameters for module in modules],
                    [sensitivity[module.name] for module in modules], context.bits.weights)
    for module, chosen in zip(modules, bits, strict=True):
        for quantizer in module.quantizers.values():
            quantizer.bits.fill_(chosen)
    context.notes["mixed_precision"] = {
        "search": search, "bits": {module.name: chosen for module, chosen in zip(modules, bits, strict=True)}}


def candidates_of(context: Context, options: AllocationOptions) -> tuple[int, ...]:
    """The bit-widths to choose from.

    Raises :class:`harness.QuantizationError` where weights and activations have different bits: a module
    has one bit-width.
    """
    target = context.bits.weights
    if context.bits.activations != target:
        raise QuantizationError(f"mixed precision at bits {context.bits}: a module has one bit-width for weights and "
                                "inputs", "Ask for equal bits, or use mixed_precision=off")
    return tuple(sorted(set(options.candidates))) or tuple(range(max(2, target - 2), target + 3))


@contextmanager
def at_bits(module: Module, bits: int, ranges: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> Iterator[None]:
    """The module's quantizers on, at ``bits``, over the full ``ranges``; everything as before afterwards."""
    before = {path: quantizer.bits.clone() for path, quantizer in module.quantizers.items()}
    enabled = {path: quantizer.enabled for path, quantizer in module.quantizers.items()}
    try:
        for path, quantizer in module.quantizers.items():
            quantizer.bits.fill_(bits)
            quantizer.set_range(*ranges[path])
            quantizer.enabled = True
        yield
    finally:
        for path, quantizer in module.quantizers.items():
            quantizer.bits.copy_(before[path])
            quantizer.enabled = enabled[path]


def submodule(model: InstrumentedModel, path: str) -> nn.Module:
    """A module of the instrumented model by its path."""
    return model.model.get_submodule(path)
