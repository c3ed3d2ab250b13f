"""A checkpoint as Hugging Face's libraries write it: a folder with configuration, weights and vocabulary. Light."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import DataError, digest, file_hash

from .bert_models import size_name
from .glue_tasks import GlueTask

CONFIGURATION_FILE = "config.json"
WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")
POSITIONS = 512
"""Tokens that BERT can take."""

_CLASSIFIER = "BertForSequenceClassification"


@dataclass(frozen=True)
class CheckpointFolder:
    """The configuration and the weights file of a BERT model."""

    folder: Path
    configuration: Mapping[str, Any]
    weights: Path

    @property
    def model(self) -> str:
        """What the model's size is called."""
        return size_name(self.configuration)

    @property
    def positions(self) -> int:
        """Tokens that it can take at most."""
        return int(self.configuration.get("max_position_embeddings", POSITIONS))

    @property
    def rows(self) -> int | None:
        """Rows of its word embedding."""
        return self.configuration.get("vocab_size")

    @property
    def hash(self) -> str:
        """Of the weights, and of the configuration, without which they mean nothing."""
        return digest([f"weights {file_hash(self.weights)}",
                       f"configuration {file_hash(self.folder / CONFIGURATION_FILE)}"])


def read_folder(folder: Path) -> CheckpointFolder:
    """The BERT checkpoint in ``folder``, with or without a classifier.

    Raises :class:`harness.DataError` for a folder that is not there or not complete, and for another architecture.
    """
    if not folder.is_dir():
        raise DataError(f"no checkpoint folder {folder}",
                        f"--weights names a folder with {CONFIGURATION_FILE}, {' or '.join(WEIGHTS_FILES)}, and the "
                        "vocabulary")
    try:
        configuration = json.loads((folder / CONFIGURATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / CONFIGURATION_FILE} cannot be read: {error}",
                        "Give the folder that save_pretrained wrote, or that the hub has") from error
    kind = configuration.get("model_type") if isinstance(configuration, dict) else None
    if kind != "bert":
        raise DataError(f"the checkpoint in {folder} is of a model of type {kind!r}", "Only BERT is supported")
    weights = next((folder / name for name in WEIGHTS_FILES if (folder / name).is_file()), None)
    if weights is None:
        raise DataError(f"no {' and no '.join(WEIGHTS_FILES)} in {folder}",
                        "Get the folder again, with its weights in one file")
    return CheckpointFolder(folder, configuration, weights)


def require_classifier(checkpoint: CheckpointFolder, task: GlueTask) -> None:
    """Raise :class:`harness.DataError` if the checkpoint is known to be an encoder without a classifier."""
    named = checkpoint.configuration.get("architectures") or [_CLASSIFIER]
    if _CLASSIFIER not in named:
        raise DataError(f"the checkpoint in {checkpoint.folder} is a {named[0]}: it has no classifier for {task.title}",
                        f"Fine-tune it first: {finetune_command(task, str(checkpoint.folder))}")


def finetune_command(task: GlueTask, encoder: str = "FOLDER") -> str:
    """The command that gives an encoder a classifier."""
    return (f"python -m harness_tasks.language.finetune --encoder {encoder} --data FOLDER --task {task.name} "
            "--output FOLDER")
