"""Trains the small BERT on the tasks of the mini language and writes its weights.

Run it with ``python -m harness_tasks.language.train_mini --task glue-rte``, or ``--task all``. It needs no download and
no GPU. The same command on the same machine and library versions gives the same weights; other machines round
differently and give slightly different ones.

A task of pairs starts from the body of one that is trained before it, as small GLUE tasks commonly do from MNLI:
comparing two sentences is learnt once. Trained for a minute, a transformer keeps almost equal channels and is far
easier to quantize than a published one; the recipe therefore starts from unequal channels (``spread_channels``).
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from rich.progress import Progress
from torch import Tensor, nn

from harness import Scores

from .encoded_cache import encoded
from .encoding import Encoding
from .finetune import evaluate, train
from .glue_tasks import GLUE_TASKS, GlueTask
from .mini_language import VOCABULARY, rows
from .mini_models import POSITIONS, build, weights_path
from .mini_weights import describe_training, round_to_half, save, write_readme
from .samples import SentenceSamples
from .split import made_split
from .tokenizer import tokenizer_of

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification


@dataclass(frozen=True)
class Recipe:
    """How one task is trained: on this many rows, each seen once, from the trained body of another task or anew."""

    rows: int
    start_from: str | None = None


RECIPES: Mapping[str, Recipe] = MappingProxyType({
    "glue-stsb": Recipe(25_600),
    "glue-mrpc": Recipe(40_000, "glue-stsb"),
    "glue-qqp": Recipe(40_000, "glue-mrpc"),
    "glue-qnli": Recipe(40_000, "glue-mrpc"),
    "glue-mnli": Recipe(60_000, "glue-stsb"),
    "glue-rte": Recipe(32_000, "glue-mnli"),
    "glue-sst2": Recipe(32_000),
    "glue-cola": Recipe(40_000),
})
"""The tasks in the order in which they are trained. Their rows go on where the train split ends."""

MATCHING_HEADS = 2
"""Heads of each layer that start with equal queries and keys, so that a token looks at tokens like itself."""


def initialise(model: BertForSequenceClassification) -> None:
    """Draw the weights anew, so that so narrow a model learns within a minute.

    Linear layers have a standard deviation of one over the root of their inputs, and less where they write to the
    residual stream. Embeddings start small, since an optimizer step then changes much of them. Positions start as
    waves (Vaswani et al. 2017), so that neighbours are alike, and in the matching heads equal words and near places
    attract each other, as they do in published models (Clark et al. 2019). The other heads start nearly even.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features ** -0.5)
    embeddings = model.bert.embeddings
    nn.init.normal_(embeddings.word_embeddings.weight, std=0.05)
    nn.init.normal_(embeddings.token_type_embeddings.weight, std=0.03)
    with torch.no_grad():
        embeddings.position_embeddings.weight.copy_(0.07 * _waves(*embeddings.position_embeddings.weight.shape))
        for layer in model.bert.encoder.layer:
            layer.attention.output.dense.weight *= 0.3
            layer.output.dense.weight *= 0.3
            attention = layer.attention.self
            matching = MATCHING_HEADS * attention.attention_head_size
            attention.key.weight[:matching] = attention.query.weight[:matching]
            attention.query.weight[matching:] *= 0.3


def _waves(positions: int, channels: int) -> Tensor:
    """Sines and cosines of the position with wavelengths from 6 to 600 tokens, (positions, channels)."""
    angles = torch.arange(positions)[:, None] * torch.logspace(0, -2, channels // 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def spread_channels(model: BertForSequenceClassification, sigma: float, large: int, factor: float, seed: int) -> None:
    """Make the channels of the residual stream unequal, nearly without changing the function, before training.

    Each channel is multiplied by a log-normal factor, a few of them by ``factor`` on top, all of them scaled to a mean
    square of one: in the LayerNorm after the embeddings and in the rows of the layers that write to the stream. The
    columns of the layers that read it are divided by the same. Only the mean and the deviation in the later LayerNorms
    differ a little. Published BERTs have such channels (Kovaleva et al. 2021). Everything stays trainable.

    Args:
        model: the small BERT.
        sigma: standard deviation of the natural logarithm of the factors; 0 leaves the channels equal.
        large: how many channels are made large.
        factor: how much larger these are.
        seed: seed of the factors.
    """
    generator = torch.Generator().manual_seed(seed)
    channels = model.config.hidden_size
    factors = torch.exp(torch.randn(channels, generator=generator) * sigma)
    factors[torch.randperm(channels, generator=generator)[:large]] *= factor
    factors /= factors.square().mean().sqrt()
    with torch.no_grad():
        model.bert.embeddings.LayerNorm.weight *= factors
        for layer in model.bert.encoder.layer:
            attention = layer.attention.self
            for reader in (attention.query, attention.key, attention.value, layer.intermediate.dense):
                reader.weight /= factors
            for writer in (layer.attention.output.dense, layer.output.dense):
                writer.weight *= factors[:, None]
        model.bert.pooler.dense.weight /= factors


def samples(task: GlueTask, split: str, count: int | None = None) -> SentenceSamples:
    """Rows of a split, encoded; those to train on go on where the train split ends."""
    made = made_split(split, task, rows(task.name, split, count), "the small generated language")
    found = encoded(made, Encoding(tokenizer_of(VOCABULARY), task, min(task.max_length, POSITIONS)))
    return SentenceSamples((made,), (found,), task.regression, by_length=split != "train")


def train_task(task: GlueTask, given: argparse.Namespace) -> Scores:
    """Train one task, measure what the file will hold, and write it with the record of how it was made."""
    recipe = RECIPES[task.name]
    count = given.rows or recipe.rows
    torch.manual_seed(given.seed)
    model = build(task.name, trained=False)
    initialise(model)
    if recipe.start_from:
        model.bert.load_state_dict(load_weights_of(recipe.start_from, given.output))
    else:
        spread_channels(model, given.spread, given.large_channels, given.large_factor, given.seed)
    chosen = samples(task, "train", count)
    with Progress() as progress:
        began = time.process_time()
        train(model, chosen, task, given, progress)
        seconds = time.process_time() - began
        round_to_half(model)
        scores = evaluate(model, samples(task, *task.validation_splits), task, progress)
    command = f"python -m harness_tasks.language.train_mini {given.words}"
    record = describe_training(command, recipe.start_from, count, -(-count // given.batch_size), scores.metrics, seconds)
    save(model, given.output / weights_path(task.name).name, record)
    return scores
