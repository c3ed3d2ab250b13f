"""The small BERT of the mini scale: transformers' own architecture, a quarter of a million weights for each task.

``train_mini.py`` trains it on the rows of ``mini_language.py``. The weights lie beside this file, and
``weights/README.md`` says how each file was made. torch and transformers are imported only when a model is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from .bert_models import BertSize
from .glue_tasks import GLUE_TASKS

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"
"""Where the safetensors files of the trained models lie."""

POSITIONS = 64
"""Longest input, in tokens; the longest pair of the mini language has fewer."""

MINI_MODELS: Mapping[str, BertSize] = MappingProxyType({"bert_mini": BertSize(layers=4, width=64, heads=4, inner=256)})
"""The small models by name: one architecture, with a checkpoint for each task."""


def weights_path(task: str) -> Path:
    """The file with the trained weights of a task (``glue-rte``)."""
    return WEIGHTS_FOLDER / f"{task}.safetensors"


def build(task: str, *, trained: bool = True) -> BertForSequenceClassification:
    """Build the small model of a task.

    Args:
        task: a key of ``GLUE_TASKS``.
        trained: load the weights that ship with this package; otherwise transformers' random initialisation.

    Returns:
        The model in evaluation mode, float32. It maps token ids (batch, token) to logits (batch, labels), or to
        scores (batch, 1) for STS-B.
    """
    from harness import ensure_torchvision

    ensure_torchvision()  # transformers imports torchvision, which not every torch can load.
    from transformers import BertConfig, BertForSequenceClassification

    from .mini_language import VOCABULARY

    if task not in GLUE_TASKS:
        raise ValueError(f"unknown task {task!r}; known: {', '.join(GLUE_TASKS)}")
    # No dropout: the model is small and sees each sentence a few times only.
    configuration = BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=POSITIONS, hidden_dropout_prob=0.0,
                               attention_probs_dropout_prob=0.0, **MINI_MODELS["bert_mini"].configuration)
    configuration.num_labels = GLUE_TASKS[task].outputs
    model = BertForSequenceClassification(configuration)
    if trained:
        from safetensors.torch import load_file

        # The file holds half precision to stay small; copying into the model widens it to float32.
        model.load_state_dict(load_file(weights_path(task)))
    return model.eval()
