"""Which checkpoint a full-scale run takes, and with which vocabulary. Light: no torch, no transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import DataError, UnknownNameError, asked_weights, digest

from .bert_models import BERT_MODELS, DEFAULT_MODEL, plain_name
from .checkpoint_folder import (
    CONFIGURATION_FILE,
    POSITIONS,
    WEIGHTS_FILES,
    finetune_command,
    read_folder,
    require_classifier,
)
from .glue_tasks import GlueTask
from .label_order import label_order
from .layouts import HUB, task_folder
from .tokenizer import SETTINGS_FILE, TOKENIZER_FILE, VOCABULARY_FILE

_FILES = (CONFIGURATION_FILE, *WEIGHTS_FILES, TOKENIZER_FILE, VOCABULARY_FILE, SETTINGS_FILE)


@dataclass(frozen=True)
class Checkpoint:
    """What a run starts from.

    Attributes:
        model: name of the model's size.
        hash: of weights, configuration and order.
        vocabulary: the folder or file that the tokenizer is read from.
        order: the place of each of GLUE's labels among the model's answers.
        folder: where the weights lie; empty for random ones.
        seed: of random weights.
        positions: tokens that the model can take at most.
        rows: rows of its word embedding; ``None``: as many as the vocabulary has tokens.
        notice: what has to be said with every figure.
    """

    model: str
    hash: str
    vocabulary: Path
    order: tuple[int, ...]
    folder: str = ""
    seed: int | None = None
    positions: int = POSITIONS
    rows: int | None = None
    notice: str = ""


def full_checkpoint(asked: str | None, model: str | None, task: GlueTask, data: str) -> Checkpoint:
    """The checkpoint of ``--weights`` (a folder, ``hub``, ``hub:OWNER/NAME``, ``random``, ``random:SEED``).

    Without ``asked``, TextAttack's fine-tuned BERT-base, the papers' teacher, is taken if the Hugging Face cache of
    this machine has it; ``hub`` downloads it first. ``data`` is where sentences come from: a ``vocab.txt`` there is
    used where the checkpoint has none. Raises :class:`harness.DataError` where there is no checkpoint, and where it is
    not of ``model`` (if given) or of ``task``; :class:`harness.UnknownNameError` for a size that does not exist.
    """
    wanted = plain_name(model) if model else None
    if asked is not None and asked.split(":")[0] == "random":
        return _random(asked, wanted or DEFAULT_MODEL, task, data)
    if asked is None or asked == HUB or asked.startswith(f"{HUB}:"):
        folder = _from_hub(asked, wanted, task)
    else:
        folder = task_folder(Path(asked).expanduser(), task)
    found = read_folder(folder)
    require_classifier(found, task)
    if wanted is not None and found.model != wanted:
        raise DataError(f"the checkpoint in {folder} is a {found.model}, not a {wanted}",
                        f"Use --model {found.model}, or leave out --model")
    order = label_order(found.configuration, task, str(folder))
    own = any((folder / name).is_file() for name in (TOKENIZER_FILE, VOCABULARY_FILE))
    return Checkpoint(found.model, digest([found.hash, f"answers {order.places}"]),
                      folder if own else _vocabulary(data, task), order.places, folder=str(folder),
                      positions=found.positions, rows=found.rows, notice=order.notice)


def _random(asked: str, model: str, task: GlueTask, data: str) -> Checkpoint:
    if model not in BERT_MODELS:
        raise UnknownNameError("size of BERT", model, BERT_MODELS)
    weights = asked_weights(asked)
    return Checkpoint(model, weights.hash, _vocabulary(data, task), tuple(range(task.outputs)), seed=weights.seed,
                      notice=weights.notice)


def _vocabulary(data: str, task: GlueTask) -> Path:
    places = [] if data == HUB else [task_folder(Path(data), task), Path(data)]
    for place in places:
        if (place / VOCABULARY_FILE).is_file():
            return place / VOCABULARY_FILE
    raise DataError("no vocabulary to encode sentences with",
                    f"Put a {VOCABULARY_FILE} (of bert-base-uncased, say) into the data folder, or beside the weights")


def _from_hub(asked: str | None, model: str | None, task: GlueTask) -> Path:
    """The folder of a repository in this machine's Hugging Face cache, downloaded first if that was asked for."""
    from huggingface_hub import snapshot_download

    usual = asked in (None, HUB)
    repository = f"textattack/bert-base-uncased-{task.title}" if usual else str(asked).removeprefix(f"{HUB}:")
    if usual and model not in (None, DEFAULT_MODEL):
        raise DataError(f"which checkpoint of {model}?",
                        f"Give --weights FOLDER or --weights hub:OWNER/NAME (fine-tune one: {finetune_command(task)})")
    try:
        return Path(snapshot_download(repository, allow_patterns=list(_FILES), local_files_only=asked is None))
    except (OSError, ValueError) as error:  # not in the cache, no network, no such repository
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = (f"no weights given, and {repository} is not in this machine's Hugging Face cache" if asked is None
                   else f"{repository} cannot be downloaded: {reason}")
        raise DataError(message, "Give --weights FOLDER (fine-tune one: "
                                 f"{finetune_command(task)}), --weights hub to download TextAttack's, or --weights "
                                 "random to try things out") from error
