"""Fine-tune a pretrained BERT encoder on one GLUE task.

    python -m harness_tasks.language.finetune --encoder FOLDER --data FOLDER --task glue-rte --output FOLDER

Plain training as in Devlin et al. 2019: AdamW, warm-up over the first tenth of the steps, then linear decay to zero.
The output is a folder as Hugging Face's libraries write it, for ``--weights``; its file ``finetune.json`` says how it
was made. The same command gives the same weights on the same machine and versions.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from harness import DataError, HarnessError, Scores, TaskRequest

from .bert_checkpoints import encoder_model
from .checkpoint_folder import WEIGHTS_FILES, CheckpointFolder, read_folder
from .encoded_cache import encoded
from .encoding import Encoding, checked_encoding
from .glue_tasks import GLUE_TASKS, VARIABLE, GlueTask
from .layouts import find_splits
from .resolve import data_place
from .samples import SentenceSamples
from .scorer import GlueScorer
from .split import GlueSplit
from .tokenizer import SETTINGS_FILE, TOKENIZER_FILE, VOCABULARY_FILE

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification

RECORD_FILE = "finetune.json"
WEIGHT_DECAY, WARM_UP, CLIP_NORM = 0.01, 0.1, 1.0
"""Of matrices; part of the steps; of the gradient (Devlin et al. 2019)."""

_EVALUATION_BATCH = 32
_SORTED_BATCHES = 16  # So many random batches are cut by length: little padding, and batches that are still random.


def batches(lengths: Tensor, size: int, generator: torch.Generator) -> Iterator[list[int]]:
    """One pass over all samples in random batches of ``size`` samples of similar ``lengths`` (sample,)."""
    order = torch.randperm(len(lengths), generator=generator)
    found = []
    for chunk in order.split(size * _SORTED_BATCHES):
        found += chunk[lengths[chunk].argsort(stable=True)].split(size)
    for place in torch.randperm(len(found), generator=generator).tolist():
        yield found[place].tolist()


def train(model: BertForSequenceClassification, samples: SentenceSamples, task: GlueTask, given: argparse.Namespace,
          progress: Progress) -> None:
    """Train ``model`` for ``given.epochs`` passes over the samples."""
    generator = torch.Generator().manual_seed(given.seed)
    chosen = torch.randperm(len(samples.ids), generator=generator)[:given.examples].tolist()
    lengths = torch.from_numpy(samples.lengths)[chosen]
    steps = given.epochs * -(-len(chosen) // given.batch_size)
    optimizer = torch.optim.AdamW(groups(model), lr=given.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, steps))
    bar = progress.add_task("fine-tune", total=steps)
    model.train()
    for _ in range(given.epochs):
        for places in batches(lengths, given.batch_size, generator):
            batch = next(samples.batches([chosen[place] for place in places], len(places)))
            answers = model(**batch.inputs).logits
            loss = (functional.mse_loss(answers[:, 0], batch.targets) if task.regression
                    else functional.cross_entropy(answers, batch.targets))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            progress.update(bar, advance=1, description=f"fine-tune  loss {loss.item():.3f}")
    model.eval()


def learning_rate_factor(step: int, steps: int) -> float:
    """Linear warm-up over the first tenth of ``steps``, then linear decay to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    return (step + 1) / warm_up if step < warm_up else (steps - step) / max(1, steps - warm_up)


def groups(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters with and without weight decay: matrices, and vectors."""
    parameters = list(model.parameters())
    return [{"params": [value for value in parameters if value.dim() > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [value for value in parameters if value.dim() <= 1], "weight_decay": 0.0}]


@torch.no_grad()
def evaluate(model: BertForSequenceClassification, samples: SentenceSamples, task: GlueTask,
             progress: Progress) -> Scores:
    """GLUE's metrics of ``model`` on ``samples``."""
    scorer = GlueScorer(task)
    bar = progress.add_task("evaluate", total=len(samples.ids))
    for batch in samples.batches(range(len(samples.ids)), _EVALUATION_BATCH):
        scorer.update(model(**batch.inputs).logits, batch)
        progress.update(bar, advance=len(batch.targets))
    return scorer.result()


def save(model: BertForSequenceClassification, encoder: CheckpointFolder, record: dict[str, Any], output: Path) -> None:
    """Write the model, its vocabulary and the record of how it was made: into another folder first, then renamed."""
    temporary = output.with_name(f"{output.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    (temporary / WEIGHTS_FILES[0]).chmod(0o644)  # safetensors lets only its owner read it
    for name in (TOKENIZER_FILE, VOCABULARY_FILE, SETTINGS_FILE):
        if (encoder.folder / name).is_file():
            shutil.copyfile(encoder.folder / name, temporary / name)
    (temporary / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    temporary.rename(output)


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the pretrained BERT")
    parser.add_argument("--data", help=f"folder of GLUE, or the word hub (default: {VARIABLE})")
    parser.add_argument("--task", required=True, choices=GLUE_TASKS)
    parser.add_argument("--output", type=Path, required=True, help="folder that is made")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-5, help="its peak")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--examples", type=int, help="train on so many sentences, drawn by the seed (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    return parser.parse_args(words)


def finetune(given: argparse.Namespace, command: str) -> Scores:
    """Fine-tune, evaluate and save as the command line says.

    Raises :class:`harness.DataError` for an encoder, data or an output folder that cannot be used.
    """
    if given.output.exists():
        raise DataError(f"{given.output} exists already", "Name another output folder, or remove it")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    task = GLUE_TASKS[given.task]
    encoder = read_folder(given.encoder)
    encoding = checked_encoding(encoder.folder, task, encoder.rows, encoder.positions)
    train_split, validation = find_splits(data_place(TaskRequest(given.task, data=given.data)), task)
    torch.manual_seed(given.seed)
    model = encoder_model(encoder, task, given.seed)
    model.config.id2label = dict(enumerate(task.labels or ("score",)))
    model.config.label2id = {label: place for place, label in model.config.id2label.items()}
    began = time.perf_counter()
    with Progress() as progress:
        train(model, _samples((train_split,), encoding, task, by_length=False), task, given, progress)
        scores = evaluate(model, _samples(validation, encoding, task, by_length=True), task, progress)
    save(model, encoder, {
        "command": command, "task": task.name, "encoder": str(encoder.configuration.get("_name_or_path", "")),
        "encoder_hash": encoder.hash, "train_sentences": len(train_split.rows[:given.examples]),
        "train_fingerprint": train_split.fingerprint, "metrics": dict(scores.metrics),
        "minutes": round((time.perf_counter() - began) / 60, 1), "threads": torch.get_num_threads(),
        "versions": f"torch {torch.__version__}, Python {platform.python_version()}"}, given.output)
    return scores


def _samples(splits: tuple[GlueSplit, ...], encoding: Encoding, task: GlueTask, by_length: bool) -> SentenceSamples:
    return SentenceSamples(splits, [encoded(split, encoding) for split in splits], task.regression, by_length)


def main(words: list[str] | None = None) -> None:
    """The command line."""
    given = parse_arguments(words)
    torch.set_num_threads(given.threads)
    options = shlex.join(sys.argv[1:] if words is None else words)
    try:
        scores = finetune(given, f"python -m harness_tasks.language.finetune {options}")
    except HarnessError as error:
        sys.exit(f"error: {error}")
    print(f"{given.output}: " + ", ".join(f"{name} {value:.2f}" for name, value in scores.metrics.items()))


if __name__ == "__main__":
    main()
