"""Segmentation of drawn discs and squares. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable

from harness import TaskSpec, hookimpl

from .resolve import MODELS

#: The version of the harness's interface that this was written for.
harness_api = "1.0"


@hookimpl
def harness_tasks() -> Iterable[TaskSpec]:
    yield TaskSpec(
        name="shapes", summary="which pixels belong to a disc, which to a square", factory=".task:Shapes",
        resolve=".resolve:resolve", metric="iou", models={"mini": MODELS}, kind="segmentation", trains=True,
        data_help="drawn on the fly; there is no full scale")
