"""The tiny transformer with a method and a search of mixed precision, for the tests of the four searches."""

from __future__ import annotations

from typing import Any

import torch

from harness import AllocationOptions, Bits, BitSpace, Context, Method
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context


def method_of(name: str, **options: Any) -> Method[Any]:
    """A method as ``--set`` would make it."""
    spec = registry().methods[name]
    return registry().component(spec)(resolve(spec.options, options, f"method {name}"))


def space_of(candidates: tuple[int, ...], budget: float = 1.0, method: str = "minmax") -> BitSpace:
    """What a search chooses from."""
    context = toy_context(Bits(4, 4), budget="steps=2", method=method_of(method))
    return BitSpace(context, AllocationOptions(candidates=candidates, budget=budget))


def allocated(search: str, method: str = "minmax", seed: int = 0, steps: int = 2, **options: Any) -> Context:
    """The context after ``search`` with these options has chosen bits around 4/4."""
    torch.manual_seed(seed)
    chosen = method_of(method, mixed={"name": search, **options})
    context = toy_context(Bits(4, 4), seed, budget=f"steps={steps}", method=chosen)
    chosen.allocate(context)
    return context


def check_run(search: str, method: str, **options: Any) -> Context:
    """Run a search and then the method: what the notes say is what is placed, and within the budget."""
    context = allocated(search, method, **options)
    chosen = method_of(method)
    for act in (chosen.place, chosen.calibrate, chosen.train):
        act(context)
    notes = context.notes["allocation"]
    assert notes["search"] == search
    sites = context.model.sites
    for path, bits in context.allocation.items():
        assert context.model.quantizer(path).mean_bits == bits, path
        assert str(bits) in notes["bits"][sites[path].operation]
    assert set(context.allocation.values()) <= {4, *notes["candidates"]}
    limited = notes["weight_bytes"] if notes.get("measure") == "size" else notes["bops"]
    assert limited <= notes["budget"]
    return context
