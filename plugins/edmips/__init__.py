"""EdMIPS: bit-widths by a supernet of quantizers (CVPR 2020), with Quantformer's settings."""

from __future__ import annotations

from collections.abc import Iterable

from harness import SearchSpec, hookimpl

from .options import EdmipsOptions


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="edmips", summary="bits of each site by a supernet with a penalty on complexity",
                     factory=".search:EdmipsSearch", options=EdmipsOptions, trains=True)
