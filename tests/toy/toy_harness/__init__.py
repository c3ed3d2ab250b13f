"""A plugin for tests: a task that takes a second, and methods that misbehave."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

import harness
from harness import MethodSpec, Options, TaskSpec


class ToyOptions(Options):
    """Options of the misbehaving methods."""

    seconds: float = Field(0.0, ge=0, description="how long to sleep while calibrating")


@harness.hookimpl
def harness_tasks() -> Iterable[TaskSpec]:
    yield TaskSpec(name="toy", summary="a linear classifier of noise", factory=".task:ToyTask",
                   resolve=".resolve:resolve", metric="top1", models={"mini": ("toy",)}, data_help="none")


@harness.hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    for name in ("toy_crash", "toy_sleep", "toy_nan", "toy_noise"):
        yield MethodSpec(name=name, summary="misbehaves", factory=f".methods:{name}", options=ToyOptions,
                         quantizes="nothing")
