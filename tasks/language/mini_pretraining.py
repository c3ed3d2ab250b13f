"""Pretrains the body of the small BERT on the sentences of all tasks, with both objectives of Devlin et al. 2019.

Masked words are to be told, and whether the second sentence of a pair is its own or another pair's. It needs no labels.
From it the tasks learn in a minute what they would not learn in ten from random weights: that a word of the one
sentence is found again in the other, that nouns and verbs agree, and that ``[CLS]`` speaks of both sentences.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from .encoding import Encoded, Encoding
from .finetune import CLIP_NORM, batches, groups, learning_rate_factor
from .glue_tasks import GLUE_TASKS
from .mini_language import VOCABULARY, rows
from .mini_models import POSITIONS
from .padding import padded
from .samples import joined
from .tokenizer import tokenizer_of

if TYPE_CHECKING:
    from transformers import BertModel

MASKED, KEPT, RANDOM = 0.2, 0.1, 0.1
"""Part of the words that are to be told; of these, parts that are left as they are, and replaced by any word."""

LEARNING_RATE = 1e-3
"""Its peak."""

_SPECIAL = 5  # The special tokens come first in the vocabulary, [MASK] last of them.


def sentences(count: int) -> tuple[Encoded, Tensor]:
    """The tokens of ``count`` train rows, as many of each task, and whether the second sentence is of the same row.

    Every other pair gets the second sentence of the pair before. The answers are int64 (row,): 1 the same, 0 another,
    -1 where there is one sentence only.
    """
    share = count // len(GLUE_TASKS)
    parts, same = [], []
    for task in GLUE_TASKS.values():
        made = rows(task.name, "train", share)
        same += [-1 if len(task.columns) < 2 else 1 - place % 2 for place in range(share)]
        if len(task.columns) == 2:
            second = task.columns[1]
            made = [{**row, second: made[place - place % 2][second]} for place, row in enumerate(made)]
        parts.append(Encoding(tokenizer_of(VOCABULARY), task, POSITIONS).encode(made))
    return joined(parts), torch.tensor(same)


def mask(tokens: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide words of ``tokens`` (batch, token): the tokens with hidden words, and which places are to be told."""
    draws = torch.rand(2, *tokens.shape, generator=generator)
    asked = (draws[0] < MASKED) & (tokens >= _SPECIAL)
    words = torch.randint(_SPECIAL, len(VOCABULARY), tokens.shape, generator=generator)
    shown = torch.where(draws[1] < RANDOM, words, tokens.new_tensor(_SPECIAL - 1))
    return torch.where(asked & (draws[1] < 1 - KEPT), shown, tokens), asked


def pretrain(body: BertModel, given: argparse.Namespace, count: int, progress: Progress) -> float:
    """Train the body on ``count`` rows, each seen once.

    Returns:
        The part of the asked words, in percent, that were told rightly in the last tenth of the steps.
    """
    generator = torch.Generator().manual_seed(given.seed)
    text, same = sentences(count)
    word, pair = nn.Linear(body.config.hidden_size, len(VOCABULARY)), nn.Linear(body.config.hidden_size, 2)
    nn.init.normal_(word.weight, std=0.05)
    learner = nn.ModuleList([body, word, pair]).train()
    steps = -(-len(text) // given.batch_size)
    optimizer = torch.optim.AdamW(groups(learner), lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, steps))
    bar, right = progress.add_task("pretrain", total=steps), []
    for indices in batches(torch.from_numpy(text.lengths), given.batch_size, generator):
        inputs = padded(text, indices)
        shown, asked = mask(inputs["input_ids"], generator)
        seen = body(**{**inputs, "input_ids": shown})
        answers, told = word(seen.last_hidden_state[asked]), inputs["input_ids"][asked]
        # The mean over the whole batch, so that a batch of single sentences needs no case of its own.
        pairs = functional.cross_entropy(pair(seen.pooler_output), same[indices], ignore_index=-1, reduction="sum")
        loss = functional.cross_entropy(answers, told) + pairs / len(indices)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        right.append((answers.argmax(1) == told).float().mean().item())
        progress.update(bar, advance=1, description=f"pretrain  loss {loss.item():.3f}")
    body.eval()
    return 100.0 * float(np.mean(right[-max(1, steps // 10):]))
