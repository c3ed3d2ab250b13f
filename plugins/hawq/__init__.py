"""HAWQ-v2: bit-widths by the trace of the Hessian (NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import SearchSpec, hookimpl

from .options import HawqOptions


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="hawq", summary="bits of each weight by the trace of its Hessian, exactly within a size",
                     factory=".search:HawqSearch", options=HawqOptions, trains=True,
                     possible=".options:can_differentiate")
