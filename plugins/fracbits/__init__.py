"""FracBits: real bit-widths that are trained and then rounded (AAAI 2021)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import SearchSpec, hookimpl

from .options import FracBitsOptions


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="fracbits", summary="bits of each site as trained real numbers, rounded onto the budget",
                     factory=".search:FracBitsSearch", options=FracBitsOptions, trains=True)
