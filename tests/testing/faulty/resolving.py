"""The light part of the task, sound and broken."""

from __future__ import annotations

import itertools

from harness import DataError, Resolved, TaskRequest

DRAWN = itertools.count()


def resolve(request: TaskRequest) -> Resolved:
    if request.scale == "full":
        raise DataError("planted has no full scale", "Use --scale mini")
    if request.model not in (None, "tiny_vit"):
        raise DataError(f"planted has no model {request.model!r}", "Use tiny_vit")
    return Resolved(task="planted", scale="mini", model="tiny_vit", fingerprint="1", weights_hash="1", notice="MINI")


def another_every_time(request: TaskRequest) -> Resolved:
    return Resolved(task="planted", scale="mini", model="tiny_vit", fingerprint=str(next(DRAWN)), weights_hash="1")


def unlisted(request: TaskRequest) -> Resolved:
    return Resolved(task="planted", scale="mini", model="huge_vit", fingerprint="1", weights_hash="1")


def of_another_task(request: TaskRequest) -> Resolved:
    return Resolved(task="imagenet", scale="mini", model="tiny_vit", fingerprint="1", weights_hash="1")


def accepts_all(request: TaskRequest) -> Resolved:
    return Resolved(task="planted", scale="mini", model="tiny_vit", fingerprint="1", weights_hash="1")


def gruff(request: TaskRequest) -> Resolved:
    raise DataError("no")
