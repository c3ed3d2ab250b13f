"""From a request to a concrete task: scale, model, data, weights, fingerprint. Light: no torch, no mmdet."""

from __future__ import annotations

from collections.abc import Mapping

from harness import (
    DataError,
    Resolved,
    TaskRequest,
    UnknownNameError,
    Weights,
    asked_weights,
    chosen_scale,
    data_folder,
    digest,
    shipped_weights,
)

from .coco_folder import LAYOUTS, check_disjoint, find_split
from .families import EVALUATION_SIZE, FAMILIES, VARIABLE, Family
from .known_models import KNOWN_MODELS
from .mini_models import weights_path
from .scene_folder import COUNTS
from .scenes import VERSION as SCENES_VERSION

TITLE = "COCO 2017"

PREPARED: Mapping[str, str] = {"mini": "128x128 1", "full": "mmdet test pipeline 1333x800 2"}
"""How pictures are made ready for a model, at each scale. It enters the fingerprint: change it with any change
of the pixels or annotations that a model is shown."""

_CATEGORIES = tuple(sorted(set(range(1, 91)) - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}))
"""Ids of COCO's 80 categories: published checkpoints number their classes in this order."""


def resolve(request: TaskRequest) -> Resolved:
    """Decide what the request leaves open.

    Raises :class:`DataError` for data or weights that are missing or wrong, and
    :class:`UnknownNameError` for an unknown scale or model.
    """
    family = FAMILIES[request.task]
    scale = chosen_scale(request, family.mini_models, VARIABLE)
    return _mini(request, family) if scale == "mini" else _full(request, family)


def _mini(request: TaskRequest, family: Family) -> Resolved:
    if request.data:
        raise DataError("the mini scale has its own pictures, so --data has no meaning",
                        "Leave out --data, or --scale mini")
    model = request.model or family.mini_models[0]
    if model in family.models:
        raise DataError(f"{model} runs at full scale, which needs the pictures of {TITLE}",
                        f"{LAYOUTS}\nOr set {VARIABLE} to that folder.")
    if model not in family.mini_models:
        raise UnknownNameError(f"model of the mini scale of {family.name}", model, family.mini_models)
    weights = asked_weights(request.weights) if request.weights else shipped_weights(model, weights_path(model))
    notice = ("MINI scale: scenes of handwritten digits on cluttered 128x128 backgrounds; figures compare methods, not "
              f"papers. Give --data FOLDER or set {VARIABLE} for {TITLE}.")
    return Resolved(
        task=family.name, scale="mini", model=model, weights_hash=weights.hash,
        fingerprint=digest([f"scenes {SCENES_VERSION}", f"prepared {PREPARED['mini']}",
                            *(f"{role} {count}" for role, count in COUNTS.items())]),
        locations={"weights": weights.path, "seed": weights.seed},
        notice=f"{notice} {weights.notice}".strip())


def _full(request: TaskRequest, family: Family) -> Resolved:
    model = request.model or family.models[0]
    if model not in family.models:
        raise UnknownNameError(f"model of the full scale of {family.name}", model, family.models)
    root = data_folder(request, TITLE, VARIABLE, LAYOUTS)
    weights = _full_weights(request.weights, model)
    train, val = find_split(root, "train"), find_split(root, "val")
    check_disjoint(train, val)
    for split in (train, val):
        if split.category_ids != _CATEGORIES:
            raise DataError(f"{split.annotations} has {len(split.categories)} categories, which are not the "
                            f"{len(_CATEGORIES)} of {TITLE} in their order",
                            "A checkpoint numbers its classes in that order; use COCO's own categories list")
    complete = len(val.pictures) == EVALUATION_SIZE
    size = "" if complete else (
        f"{len(val.pictures):,} pictures, not the {EVALUATION_SIZE:,} of {TITLE}: figures are not those of papers.")
    return Resolved(
        task=family.name, scale="full", model=model, weights_hash=weights.hash,
        fingerprint=digest([f"val {val.fingerprint}", f"train {train.fingerprint}", f"prepared {PREPARED['full']}"]),
        locations={"data": str(root), "weights": weights.path, "seed": weights.seed,
                   "train": train.fingerprint, "val": val.fingerprint},
        published=KNOWN_MODELS[model].published(weights.hash) if complete else None,
        notice=f"{size} {weights.notice}".strip())


def _full_weights(asked: str | None, model: str) -> Weights:
    if asked is not None:
        return asked_weights(asked)
    known = KNOWN_MODELS[model]
    source = (f"mmdet's model zoo has {known.checkpoints[0].url}" if known.checkpoints else
              f"mmdet's model zoo has none of {known.title}: give your own")
    raise DataError(f"no weights given for {model}",
                    f"Give --weights FILE ({source}), or --weights random to try things out")
