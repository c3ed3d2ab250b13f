"""HAQ: bit-widths by a reinforcement-learning agent (CVPR 2019), with Quantformer's settings."""

from __future__ import annotations

from collections.abc import Iterable

from harness import SearchSpec, hookimpl

from .options import HaqOptions


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="haq", summary="bits of each site by a DDPG agent, rewarded with accuracy",
                     factory=".search:HaqSearch", options=HaqOptions, trains=True,
                     checked_with={"episodes": 24, "samples": 16})
