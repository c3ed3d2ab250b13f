"""Trains the small BERT on the tasks of the mini language and writes its weights.

Run it with ``python -m harness_tasks.language.train_mini --task all``: it pretrains one body by masked words, then
fine-tunes it on each task. ``--task glue-rte`` fine-tunes on one, from files that are there already. It needs no
download and no GPU. The same command on the same machine and library versions gives the same weights; other machines
round differently and give slightly different ones.

Trained for minutes, a transformer keeps almost equal channels and is far easier to quantize than a published one. The
recipe therefore starts from unequal channels (``spread_channels`` in ``mini_start.py``) and then trains as usual.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from rich.progress import Progress
from safetensors.torch import load_file

from .encoding import Encoding
from .finetune import evaluate, train
from .glue_tasks import GLUE_TASKS, GlueTask
from .mini_language import VOCABULARY, rows
from .mini_models import POSITIONS, WEIGHTS_FOLDER, build
from .mini_pretraining import pretrain
from .mini_start import initialise, spread_channels
from .mini_weights import describe_training, round_to_half, save, write_readme
from .samples import SentenceSamples
from .split import made_split
from .tokenizer import tokenizer_of

PRETRAINED = "pretrained"
"""The name of the body that the tasks start from, and of its file."""

PART = 500
"""Validation rows of a second score, with which a test tries the stored weights."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: on this many rows, each seen once, from the body of this file."""

    rows: int
    start_from: str = PRETRAINED


RECIPES: Mapping[str, Recipe] = MappingProxyType({
    PRETRAINED: Recipe(112_000, ""),
    "glue-stsb": Recipe(12_800),
    "glue-mrpc": Recipe(40_000),
    "glue-qqp": Recipe(24_000),
    "glue-qnli": Recipe(40_000),
    "glue-mnli": Recipe(60_000),
    "glue-rte": Recipe(32_000, "glue-mnli"),
    "glue-sst2": Recipe(32_000),
    "glue-cola": Recipe(120_000),
})
"""What is trained, in this order."""


def samples(task: GlueTask, splits: tuple[str, ...], count: int | None = None) -> SentenceSamples:
    """``count`` rows of each of the splits, encoded."""
    made = [made_split(split, task, rows(task.name, split, count), "the small generated language") for split in splits]
    encoding = Encoding(tokenizer_of(VOCABULARY), task, min(task.max_length, POSITIONS))
    return SentenceSamples(made, [encoding.encode(split.rows) for split in made], task.regression,
                           by_length=splits != ("train",))


def train_one(name: str, given: argparse.Namespace, command: str) -> Mapping[str, float]:
    """Train one model and write its file, with what it reached and how it was made. Returns its metrics in percent."""
    recipe, folder, began = RECIPES[name], given.output, time.process_time()
    count = given.rows or recipe.rows
    torch.manual_seed(given.seed)
    # The pretrained body lies in a file like those of the tasks, with a classifier that nobody reads.
    task = GLUE_TASKS.get(name, GLUE_TASKS["glue-mnli"])
    model = build(task.name, trained=False)
    initialise(model)
    if recipe.start_from:
        start = load_file(folder / f"{recipe.start_from}.safetensors")
        model.bert.load_state_dict({key.removeprefix("bert."): value for key, value in start.items()
                                    if key.startswith("bert.")})
    else:
        spread_channels(model, given.spread, given.large_channels, given.large_factor, given.seed)
    with Progress() as progress:
        if name == PRETRAINED:
            scores = {"score": {"told": pretrain(model.bert, given, count, progress)}}
            round_to_half(model)
        else:
            train(model, samples(task, ("train",), count), task, given, progress)
            round_to_half(model)
            parts = {"score": samples(task, task.validation_splits),
                     f"score of {PART} rows": samples(task, task.validation_splits[:1], PART)}
            scores = {key: dict(evaluate(model, part, task, progress).metrics) for key, part in parts.items()}
    seconds = time.process_time() - began
    steps = -(-count // given.batch_size)
    save(model, folder / f"{name}.safetensors",
         describe_training(command, recipe.start_from, count, steps, scores, seconds))
    return scores["score"]


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, choices=("all", *RECIPES))
    parser.add_argument("--rows", type=int, help="train rows, each seen once (default: the recipe's)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="peak learning rate of fine-tuning")
    parser.add_argument("--spread", type=float, default=0.4, help="see spread_channels: sigma")
    parser.add_argument("--large-channels", type=int, default=2, help="see spread_channels: large")
    parser.add_argument("--large-factor", type=float, default=4.0, help="see spread_channels: factor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--output", type=Path, default=WEIGHTS_FOLDER, help="folder of the files")
    # What finetune.train asks for beside: every row once.
    parser.set_defaults(epochs=1, examples=None)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Train what is asked for, one after the other."""
    given = parse_arguments(words)
    torch.set_num_threads(given.threads)
    options = shlex.join(sys.argv[1:] if words is None else words)
    for name in RECIPES if given.task == "all" else (given.task,):
        metrics = train_one(name, given, f"python -m harness_tasks.language.train_mini {options}")
        print(f"{name}: " + ", ".join(f"{metric} {value:.2f}" for metric, value in metrics.items()), flush=True)
        write_readme(given.output)


if __name__ == "__main__":
    main()
