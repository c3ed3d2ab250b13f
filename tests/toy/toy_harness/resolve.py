from __future__ import annotations

import os

from harness import Resolved, TaskRequest, UnknownNameError


def resolve(request: TaskRequest) -> Resolved:
    model = request.model or "toy"
    if model not in ("toy", "toy_nan"):
        raise UnknownNameError("model of task toy:", model, ["toy", "toy_nan"])
    published = os.environ.get("TOY_PUBLISHED")
    return Resolved(task="toy", scale="mini", model=model, fingerprint="toy-data-1", weights_hash="toy-weights-1",
                    published=float(published) if published else None, notice="TOY scale: noise")
