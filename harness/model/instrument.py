"""``instrument(model)``: every operation swapped for its quantizable twin, in place and reversibly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import QuantizationError, UnknownNameError
from ..quantizers.base import Identity, Quantizer
from .attention import AttentionTwin, QuantizableAttention
from .operations import (
    Quantizable,
    QuantizableConv2d,
    QuantizableConvTranspose2d,
    QuantizableEmbedding,
    QuantizableLinear,
    QuantizableParametric,
)
from .roles import block_prefix, role_of
from .site import HeadSplit, Layout, Site

Adapter = Callable[[nn.Module], AttentionTwin]
_TWINS: tuple[type[QuantizableParametric], ...] = (
    QuantizableLinear, QuantizableConv2d, QuantizableConvTranspose2d, QuantizableEmbedding)


class InstrumentedModel(nn.Module):
    """A model whose every weight and every operand of a product has a site with a quantizer.

    Calls pass through to the model. ``sites`` maps a path to its :class:`Site`, in module order.
    """

    def __init__(self, model: nn.Module, sites: Mapping[str, Site]) -> None:
        super().__init__()
        self.model = model
        self.sites = dict(sites)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)

    def operation(self, path: str) -> Quantizable:
        """The operation (linear, convolution, embedding, product) at ``path``."""
        return self.model.get_submodule(path)  # type: ignore[return-value]

    @property
    def operations(self) -> dict[str, Quantizable]:
        """Every operation by its path, in module order."""
        return {site.operation: self.operation(site.operation) for site in self.sites.values()}

    @property
    def first(self) -> str | None:
        """The layer that takes the model's own input: the patch embedding, the first convolution.

        ``None`` for a language model, whose own input are words.
        """
        if any(site.role == "word_embedding" for site in self.sites.values()):
            return None
        return next((site.operation for site in self.sites.values() if site.operand == "input"), None)

    def sites_of(self, operation: str) -> dict[str, Site]:
        """Operand -> site of one operation."""
        return {site.operand: site for site in self.sites.values() if site.operation == operation}

    def quantizer(self, path: str) -> Quantizer:
        """The quantizer on the site at ``path``."""
        if path not in self.sites:
            raise UnknownNameError("site", path, self.sites)
        site = self.sites[path]
        return self.operation(site.operation).quantizers[site.operand]  # type: ignore[return-value]

    def place(self, path: str, quantizer: Quantizer) -> None:
        """Put ``quantizer`` on the site at ``path``."""
        self.quantizer(path)  # raises for an unknown path
        site = self.sites[path]
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        self.operation(site.operation).quantizers[site.operand] = quantizer.to(device)

    @property
    def quantizers(self) -> dict[str, Quantizer]:
        """Site path -> quantizer, identities included."""
        return {path: self.quantizer(path) for path in self.sites}

    @contextmanager
    def full_precision(self, paths: Mapping[str, Any] | set[str] | None = None) -> Iterator[None]:
        """Switch off the quantizers at ``paths`` (all of them by default) for a while."""
        chosen = [self.quantizer(path) for path in (self.sites if paths is None else paths)]
        before = [quantizer.enabled for quantizer in chosen]
        try:
            for quantizer in chosen:
                quantizer.enabled = False
            yield
        finally:
            for quantizer, enabled in zip(chosen, before, strict=True):
                quantizer.enabled = enabled

    @contextmanager
    def baked(self) -> Iterator[None]:
        """Quantize every weight once for the length of the block."""
        parametric = [op for op in self.operations.values() if isinstance(op, QuantizableParametric)]
        try:
            for operation in parametric:
                operation.bake()
            yield
        finally:
            for operation in parametric:
                operation.unbake()

    def restore(self) -> nn.Module:
        """The plain model again, with its original classes (and the parameters as they are now)."""
        self.model = _swap(self.model, lambda module: module.restored()
                           if isinstance(module, QuantizableParametric | AttentionTwin) else None)
        return self.model


def instrument(model: nn.Module, adapters: Mapping[str, Adapter]) -> InstrumentedModel:
    """Swap the operations of ``model`` for quantizable twins with identity quantizers, in place.

    ``adapters`` maps the full name of an attention class to the function that makes its twin (see the
    hook ``harness_adapters``). Raises :class:`QuantizationError` for an attention class without one.
    """
    _refuse_unknown_attention(model, adapters)
    model = _swap(model, lambda module: adapters[_name(module)](module) if _name(module) in adapters else None)
    model = _swap(model, _parametric_twin)
    return InstrumentedModel(model, {site.path: site for site in _sites(model)})


def _swap(model: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """Replace modules, children first; one that is reached by several paths stays shared."""
    made: dict[nn.Module, nn.Module] = {}
    for path, module in reversed(list(model.named_modules(remove_duplicate=False))):
        if module not in made:
            made[module] = replacement(module) or module
        if path and made[module] is not module:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, made[module])
    return made[model]


def _parametric_twin(module: nn.Module) -> QuantizableParametric | None:
    return next((twin(module) for twin in _TWINS if isinstance(module, twin.kind)), None)


def _name(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _refuse_unknown_attention(model: nn.Module, adapters: Mapping[str, Adapter]) -> None:
    adapted = [path for path, module in model.named_modules() if _name(module) in adapters]
    for path, module in model.named_modules():
        if _is_attention(module) and not any(_nested(path, other) for other in adapted):
            raise QuantizationError(
                f"no adapter for attention class {_name(module)} (at {path!r}): "
                "its products would stay in full precision unseen",
                "Contribute one from a plugin through the hook harness_adapters (see docs/plugins.md)")


def _nested(path: str, other: str) -> bool:
    """Whether one of two modules is, or lies in, the other."""
    return not path or f"{other}.".startswith(f"{path}.") or f"{path}.".startswith(f"{other}.")


def _is_attention(module: nn.Module) -> bool:
    """By the name of the class, or by the marks that timm's attention code leaves in blocks of other names."""
    return bool(re.search("Attn|Attention", type(module).__name__)
                or hasattr(module, "fused_attn") or hasattr(module, "attn_drop"))


def _sites(model: nn.Module) -> Iterator[Site]:
    twins = {path: module for path, module in model.named_modules() if isinstance(module, AttentionTwin)}
    operations = [(path, module) for path, module in model.named_modules() if isinstance(module, Quantizable)]
    projections = _projections(twins)
    prefixes: dict[str, int] = {}
    for path, operation in operations:
        prefix = block_prefix(path, twins)
        block = None if prefix is None else prefixes.setdefault(prefix, len(prefixes))
        if isinstance(operation, QuantizableParametric):
            role = role_of(path, operation.__dict__["original"])
            layouts = _parametric_layouts(operation, *projections.get(path, ("", None)))
            for operand in operation.quantizers:
                yield Site(_join(path, operand), path, operand, role, block, layouts[operand])
        else:
            core_path = path.rpartition(".")[0]
            core: QuantizableAttention = model.get_submodule(core_path)  # type: ignore[assignment]
            owner = core_path.rpartition(".")[0]
            for operand in operation.quantizers:
                yield Site(_join(owner, operand), path, operand, operand, block, _product_layout(operand, core))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _projections(twins: Mapping[str, AttentionTwin]) -> dict[str, tuple[str, HeadSplit]]:
    """Path of each linear layer that is made of heads -> (side, split)."""
    found = {}
    for path, twin in twins.items():
        for name, split in twin.projections().items():
            owner = path
            while name.startswith("../"):
                owner, name = owner.rpartition(".")[0], name[3:]
            found[_join(owner, name)] = split
    return found


def _parametric_layouts(operation: QuantizableParametric, side: str, split: HeadSplit | None
                        ) -> dict[str, Layout]:
    shape = tuple(operation.weight.shape)
    if isinstance(operation, QuantizableLinear):
        out_split = HeadSplit(-2, split.heads, split.parts) if split and side == "out" else None
        in_split = HeadSplit(-1, split.heads, split.parts) if split and side == "in" else None
        return {"weight": Layout(("out", "in"), shape, -2, out_split or in_split),
                "input": Layout(("channel",), (shape[1],), -1, in_split)}
    if isinstance(operation, QuantizableConv2d | QuantizableConvTranspose2d):
        channels = operation.__dict__["original"].in_channels
        transposed = isinstance(operation, QuantizableConvTranspose2d)
        axes = ("in", "out", "height", "width") if transposed else ("out", "in", "height", "width")
        return {"weight": Layout(axes, shape, axes.index("out") - 4),
                "input": Layout(("channel", "height", "width"), (channels, None, None), -3)}
    return {"weight": Layout(("entry", "dim"), shape, -2)}


def _product_layout(operand: str, core: QuantizableAttention) -> Layout:
    split = HeadSplit(-3, core.heads)
    if operand == "attention":
        return Layout(("head", "query", "key"), (core.heads, None, None), -1, split, row=-2)
    return Layout(("head", "token", "dim"), (core.heads, None, core.dim), -1, split)


__all__ = ["Adapter", "Identity", "InstrumentedModel", "instrument"]
