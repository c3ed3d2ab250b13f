"""From a request to a concrete task: scale, model, data, weights, fingerprint. Light: no torch, no timm."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from harness import (
    DataError,
    Resolved,
    TaskRequest,
    UnknownNameError,
    asked_weights,
    chosen_scale,
    data_folder,
    digest,
    shipped_weights,
)

from .digits import SPLIT_SIZES
from .digits import VERSION as DIGITS_VERSION
from .image_sets import IMAGE_SETS, ImageSet
from .known_models import KNOWN_MODELS, models_for
from .layouts import LAYOUTS, find_split
from .mini_models import MINI_MODELS, weights_path
from .preprocessing import FILE, RULE, Preprocessing, override, read_overrides
from .weights_source import full_weights

MINI_POOL = 4096
"""Calibration samples of the mini scale are drawn from so many first pictures of the train split."""


def resolve(request: TaskRequest) -> Resolved:
    """Decide what the request leaves open.

    Raises :class:`DataError` for data or weights that are missing or wrong, and
    :class:`UnknownNameError` for an unknown scale or mini model.
    """
    image_set = IMAGE_SETS[request.task]
    scale = chosen_scale(request, image_set.mini_models, image_set.variable)
    return _mini(request, image_set) if scale == "mini" else _full(request, image_set)


def preprocessing(model: str, image_set: ImageSet, root: Path) -> Preprocessing | None:
    """The preprocessing of a listed model on the data in ``root``; None if only timm knows the model."""
    known = KNOWN_MODELS.get(model)
    return adapted(known.preprocessing, image_set, root) if known else None


def adapted(base: Preprocessing, image_set: ImageSet, root: Path) -> Preprocessing:
    """A checkpoint's preprocessing with what the image set and ``preprocess.toml`` change in it."""
    whole = {"resize": base.size} if image_set.whole_picture else {}
    return override(base, {**whole, **read_overrides(root)}, str(root / FILE))


def _mini(request: TaskRequest, image_set: ImageSet) -> Resolved:
    if request.data:
        raise DataError("the mini scale has its own pictures, so --data has no meaning",
                        "Leave out --data, or --scale mini")
    model = request.model or image_set.mini_models[0]
    if model in KNOWN_MODELS:
        raise DataError(f"{model} runs at full scale, which needs the pictures of {image_set.title}",
                        f"{LAYOUTS}\nOr set {image_set.variable} to that folder.")
    if model not in image_set.mini_models:
        raise UnknownNameError(f"model of the mini scale of {image_set.name}", model, image_set.mini_models)
    weights = asked_weights(request.weights) if request.weights else shipped_weights(
        model, weights_path(model))
    entry = MINI_MODELS[model]
    notice = ("MINI scale: embedded handwritten digits on cluttered 32x32 backgrounds; figures compare methods, not "
              f"papers. Give --data FOLDER or set {image_set.variable} for {image_set.title}.")
    return Resolved(
        task=image_set.name, scale="mini", model=model, weights_hash=weights.hash,
        fingerprint=digest([f"digits {DIGITS_VERSION}", f"classes {entry.classes}", f"evaluation {SPLIT_SIZES['test']}",
                            f"train {MINI_POOL}", f"normalise {entry.mean} {entry.std}"]),
        locations={"weights": weights.path, "seed": weights.seed},
        notice=f"{notice} {weights.notice}".strip())


def _full(request: TaskRequest, image_set: ImageSet) -> Resolved:
    model = request.model or image_set.model
    if model in MINI_MODELS:
        raise UnknownNameError("model of the full scale", model, models_for(image_set))
    root = data_folder(request, image_set.title, image_set.variable, LAYOUTS)
    weights = full_weights(request.weights, model, image_set)
    evaluation = find_split(root, "evaluation", image_set)
    train = find_split(root, "train", image_set)
    if train.fingerprint == evaluation.fingerprint:
        raise DataError(f"the train and the evaluation split in {root} are the same pictures",
                        "Calibration must not see the evaluation split: give the real train split")
    prepared = preprocessing(model, image_set, root)
    identity = prepared.identity if prepared else (
        f"rule {RULE} timm {version('timm')} {model} {sorted(read_overrides(root).items())}")
    complete = len(evaluation.names) == image_set.evaluation_size
    known = KNOWN_MODELS.get(model)
    usual = known is not None and prepared == known.preprocessing and weights.seed is None
    notices = [] if complete else [
        f"{len(evaluation.names):,} pictures, not the {image_set.evaluation_size:,} of {image_set.title}: "
        "figures are not those of papers."]
    return Resolved(
        task=image_set.name, scale="full", model=model, weights_hash=weights.hash,
        fingerprint=digest([f"evaluation {evaluation.fingerprint}", f"train {train.fingerprint}",
                            f"prepared {identity}"]),
        locations={"data": str(root), "weights": weights.path, "seed": weights.seed,
                   "evaluation": evaluation.fingerprint, "train": train.fingerprint},
        published=known.top1 if known and usual and complete and image_set.name == "imagenet" else None,
        notice=" ".join(filter(None, [*notices, weights.notice])))
