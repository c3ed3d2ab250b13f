"""From a request to a concrete task: scale, model, data, weights, fingerprint. Light: no torch, no transformers."""

from __future__ import annotations

import os

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

from .bert_models import BERT_MODELS, plain_name
from .encoded_cache import encoded
from .encoding import checked_encoding
from .glue_tasks import GLUE_TASKS, VARIABLE, GlueTask
from .layouts import HUB, LAYOUTS, find_splits
from .mini_language import LANGUAGE_VERSION
from .mini_models import MINI_MODELS, POSITIONS, weights_path
from .split import GlueSplit
from .weights_source import full_checkpoint


def resolve(request: TaskRequest) -> Resolved:
    """Decide what the request leaves open.

    Raises :class:`DataError` for data or weights that are missing or wrong, and :class:`UnknownNameError`
    for an unknown scale or model.
    """
    task = GLUE_TASKS[request.task]
    scale = chosen_scale(request, MINI_MODELS, VARIABLE)
    return _mini(request, task) if scale == "mini" else _full(request, task)


def _mini(request: TaskRequest, task: GlueTask) -> Resolved:
    if request.data:
        raise DataError("the mini scale has its own language, so --data has no meaning",
                        "Leave out --data, or --scale mini")
    model = request.model or next(iter(MINI_MODELS))
    if plain_name(model) in BERT_MODELS:
        raise DataError(f"{model} runs at full scale, which needs the sentences of {task.title}",
                        f"{LAYOUTS}\nOr set {VARIABLE} to that folder.")
    if model not in MINI_MODELS:
        raise UnknownNameError(f"model of the mini scale of {task.name}", model, MINI_MODELS)
    weights = asked_weights(request.weights) if request.weights else shipped_weights(model, weights_path(task.name))
    notice = (f"MINI scale: a small generated language in the form of {task.title}; figures compare methods, not "
              f"papers. Give --data FOLDER or set {VARIABLE} for GLUE.")
    length = min(task.max_length, POSITIONS)
    return Resolved(
        task=task.name, scale="mini", model=model, weights_hash=weights.hash,
        fingerprint=digest([f"language {LANGUAGE_VERSION}", f"task {task.name}", f"length {length}"]),
        locations={"weights": weights.path, "seed": weights.seed, "length": length},
        notice=f"{notice} {weights.notice}".strip())


def _full(request: TaskRequest, task: GlueTask) -> Resolved:
    if request.model is not None and request.model in MINI_MODELS:
        raise UnknownNameError("model of the full scale", request.model, BERT_MODELS)
    data = data_place(request)
    checkpoint = full_checkpoint(request.weights, request.model, task, data)
    encoding = checked_encoding(checkpoint.vocabulary, task, checkpoint.rows, checkpoint.positions)
    train, validation = find_splits(data, task)
    if train.content in {split.content for split in validation}:
        raise DataError(f"the train and the validation split of {task.title} in {data} are the same sentences",
                        "Calibration must not see the evaluation split: give the real train split")
    long = sum(encoded(split, encoding).truncated for split in validation)
    truncated = f"{long:,} evaluation texts are longer than {encoding.max_length} tokens and were cut." if long else ""
    return Resolved(
        task=task.name, scale="full", model=checkpoint.model, weights_hash=checkpoint.hash,
        fingerprint=digest([f"train {train.fingerprint}", *(f"evaluation {split.fingerprint}" for split in validation),
                            f"encoding {encoding.identity}"]),
        locations={"data": data, "weights": checkpoint.folder, "seed": checkpoint.seed, "train": train.fingerprint,
                   "evaluation": [split.fingerprint for split in validation],
                   "vocabulary": str(checkpoint.vocabulary), "answers": checkpoint.order,
                   "length": encoding.max_length},
        notice=" ".join(filter(None, [_sizes(task, train, validation), truncated, checkpoint.notice])))


def data_place(request: TaskRequest) -> str:
    """The folder of GLUE that is asked for or configured, or the word for the hub. Raises :class:`DataError`."""
    given = request.data or os.environ.get(VARIABLE)
    return HUB if given == HUB else str(data_folder(request, "GLUE", VARIABLE, LAYOUTS))


def _sizes(task: GlueTask, train: GlueSplit, validation: tuple[GlueSplit, ...]) -> str:
    """What is said of splits that are not the official ones; empty where all are."""
    official = dict(zip(("train", *task.validation_splits), (task.train_size, *task.validation_sizes), strict=True))
    found = {split.name: len(split.rows) for split in (train, *validation)}
    faults = [f"{name} has {found[name]:,} sentences, not the official {size:,}" if name in found
              else f"there is no {name} (official: {size:,} sentences)"
              for name, size in official.items() if found.get(name) != size]
    return f"{task.title}: {'; '.join(faults)}: figures are not those of papers." if faults else ""
