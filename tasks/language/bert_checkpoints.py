"""Building BERT for a task, and loading a checkpoint into it. No code of a checkpoint is ever run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn, random

from harness import DataError, ensure_torchvision, fit_weights, read_weights

from .bert_models import BERT_MODELS
from .checkpoint_folder import CheckpointFolder, finetune_command
from .glue_tasks import GlueTask

ensure_torchvision()

from transformers import BertConfig, BertForSequenceClassification  # noqa: E402 - needs an importable torchvision

#: The first checkpoints of BERT call the two vectors of a normalisation so.
_OLD_ENDINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
#: Buffers that older versions of transformers saved.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def random_model(name: str, task: GlueTask, vocabulary_size: int, seed: int) -> BertForSequenceClassification:
    """BERT of a named size with random weights of ``seed``, in evaluation mode."""
    return built(BertConfig(vocab_size=vocabulary_size, **BERT_MODELS[name].configuration), task, seed)


def built(configuration: BertConfig, task: GlueTask, seed: int = 0) -> BertForSequenceClassification:
    """BERT of any configuration with as many answers as ``task`` needs, its weights random, in evaluation mode."""
    configuration.num_labels = task.outputs
    configuration.problem_type = None  # the loss is the task's, not the model's
    with random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertForSequenceClassification(configuration).eval()


def loaded_model(checkpoint: CheckpointFolder, task: GlueTask, places: Sequence[int]) -> BertForSequenceClassification:
    """A fine-tuned checkpoint, whose answers are put into GLUE's order (``places``: see :mod:`.label_order`).

    Raises :class:`harness.DataError` for one that does not fit completely, and for an encoder without classifier.
    """
    model = built(BertConfig.from_dict(dict(checkpoint.configuration)), task)
    weights = read_weights(checkpoint.weights)
    if not any(name.startswith("classifier.") for name in weights):
        raise DataError(f"{checkpoint.weights} has no classifier: it is an encoder",
                        f"Fine-tune it first: {finetune_command(task, str(checkpoint.folder))}")
    fit_weights(model, weights, str(checkpoint.weights), _renamed)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(parameter[list(places)].clone())
    return model


def encoder_model(checkpoint: CheckpointFolder, task: GlueTask, seed: int) -> BertForSequenceClassification:
    """A pretrained encoder under a new, random classifier.

    What the checkpoint has beside the encoder (a language-modelling head) is left out; a pooler that it lacks is
    random. Raises :class:`harness.DataError` where the encoder does not fit.
    """
    model = built(BertConfig.from_dict(dict(checkpoint.configuration)), task, seed)
    found = _renamed(read_weights(checkpoint.weights), model)
    expected = model.bert.state_dict()
    encoder = {name.removeprefix("bert."): value for name, value in found.items()}
    poolers = {name: value for name, value in expected.items() if name.startswith("pooler.")}
    fit_weights(model.bert, poolers | {name: value for name, value in encoder.items() if name in expected},
                str(checkpoint.weights))
    return model


def _renamed(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A checkpoint of an older version of transformers under the names of today."""
    renamed = {}
    for name, value in weights.items():
        if name.endswith(_BUFFERS):
            continue
        old = next((ending for ending in _OLD_ENDINGS if name.endswith(ending)), "")
        renamed[name.removesuffix(old) + _OLD_ENDINGS.get(old, "")] = value
    return renamed

