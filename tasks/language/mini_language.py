"""The eight GLUE tasks in a small generated language: the rows of each, made on the spot.

Nothing is downloaded, and every row is a pure function of ``(LANGUAGE_VERSION, task, split, index)``, so a split has
the same rows on any machine, in any order and in pieces of any size. Labels follow from the sentences by the rules in
the ``grammar_*`` modules; there is no label noise. The checksum of a row's text decides whether it can be in
validation, so validation and train share no row.

Light: no torch, no numpy.
"""

from __future__ import annotations

import zlib
from typing import Any

from .glue_tasks import GLUE_TASKS
from .grammar_draw import Draw
from .grammar_entailment import Relation
from .grammar_inference import entailment_pair, inference_pair
from .grammar_mistakes import judged_sentence
from .grammar_paraphrase import paraphrase_pair
from .grammar_questions import question_and_sentence, question_pair
from .grammar_sentiment import review
from .grammar_similarity import similar_pair
from .grammar_vocabulary import word_pieces
from .grammar_words import Genre

LANGUAGE_VERSION = "mini-language-1"
"""Name of this exact language. It enters the data fingerprint: change it with any change of rows."""

VOCABULARY: tuple[str, ...] = word_pieces()
"""The WordPiece vocabulary, lower case; ``[PAD] [UNK] [CLS] [SEP] [MASK]`` come first."""

TRAIN_ROWS = 8_192
"""Rows of a train split: as many as CoLA has, enough for a calibration pool and for quantization-aware training to go
over them several times, and made in seconds. More of the same can be asked for by ``count``."""

VALIDATION_ROWS = 2_000
"""Rows of a validation split: one row is 0.05 points."""

SHORTEST, LONGEST = 5, 30
"""Words of a text, the signs not counted."""

_HELD_OUT = 8  # One text in eight, by its checksum, can be in validation only.
_OTHER_GENRE = 0.125  # The part of MNLI's train rows that are of the mismatched genre, so that its words are known.

_RELATIONS: tuple[Relation, ...] = ("entailment", "neutral", "contradiction")


def rows(task: str, split: str, count: int | None = None, start: int = 0) -> list[dict[str, Any]]:
    """Rows ``start`` to ``start + count - 1`` of a split.

    Args:
        task: a key of ``GLUE_TASKS`` (``glue-rte``).
        split: ``train`` or one of the task's validation splits; ``validation`` also for MNLI's matched one.
        count: how many; all of the split if not given. The train split goes on for as long as it is asked.
        start: index of the first row, from 0.

    Returns:
        Rows with the columns of the Hugging Face data set ``nyu-mll/glue``: sentences, ``label`` and ``idx``. Labels
        are balanced: each block of as many rows as there are labels has each of them once.
    """
    if task not in GLUE_TASKS:
        raise ValueError(f"unknown task {task!r}; known: {', '.join(GLUE_TASKS)}")
    known = ("train", *GLUE_TASKS[task].validation_splits)
    if split == "validation":
        split = known[1]
    if split not in known:
        raise ValueError(f"unknown split {split!r} of {task}; known: {', '.join(known)}")
    if count is None:
        count = (TRAIN_ROWS if split == "train" else VALIDATION_ROWS) - start
    return [_row(task, split, index) for index in range(start, start + count)]


def _row(task: str, split: str, index: int) -> dict[str, Any]:
    name = f"{LANGUAGE_VERSION} {task} {split}"
    block, place = divmod(index, GLUE_TASKS[task].outputs)
    wanted = Draw(f"{name} labels {block}").shuffled(range(GLUE_TASKS[task].outputs))[place]
    draw = Draw(f"{name} row {index}")
    while True:
        texts, label = _made(task, draw, wanted, _genre(split, draw))
        held_out = zlib.crc32("\n".join(texts).encode()) % _HELD_OUT == 0
        if held_out == split.startswith("validation") and all(_length_fits(text) for text in texts):
            return {**dict(zip(GLUE_TASKS[task].columns, texts, strict=True)), "label": label, "idx": index}


def _made(task: str, draw: Draw, label: int, genre: Genre) -> tuple[tuple[str, ...], float]:
    """The texts of one row and its label: the one that is wanted, or the score."""
    match GLUE_TASKS[task].config:
        case "mnli":
            return inference_pair(draw, _RELATIONS[label], genre), label
        case "qqp":
            return question_pair(draw, label == 1), label
        case "qnli":
            return question_and_sentence(draw, label == 0), label
        case "sst2":
            return (review(draw, label == 1),), label
        case "cola":
            return (judged_sentence(draw, label == 1),), label
        case "mrpc":
            return paraphrase_pair(draw, label == 1), label
        case "rte":
            return entailment_pair(draw, label == 0), label
    first, second, score = similar_pair(draw)
    return (first, second), score


def _length_fits(text: str) -> bool:
    return SHORTEST <= sum(word[0].isalpha() for word in text.split()) <= LONGEST


def _genre(split: str, draw: Draw) -> Genre:
    """MNLI's genre of a row; the other tasks mix both."""
    if split == "train":
        return "town" if draw.chance(_OTHER_GENRE) else "country"
    return "town" if split == "validation_mismatched" else "country"
