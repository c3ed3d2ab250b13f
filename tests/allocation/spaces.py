"""What a search of mixed precision chooses from, on the tiny transformer."""

from __future__ import annotations

from typing import Any

from harness import AllocationOptions, Bits, BitSpace, Method
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context


def method_of(name: str, **options: Any) -> Method[Any]:
    """A method as ``--set`` would make it."""
    spec = registry().methods[name]
    return registry().component(spec)(resolve(spec.options, options, f"method {name}"))


def space_of(name: str = "minmax", bits: str = "4/4", candidates: tuple[int, ...] = (2, 4, 6),
             budget: float = 1.0, **options: Any) -> BitSpace:
    """The space of a method with these options."""
    context = toy_context(Bits.parse(bits), budget="steps=2", method=method_of(name, **options))
    return BitSpace(context, AllocationOptions(candidates=candidates, budget=budget))
