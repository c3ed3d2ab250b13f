"""In which order a checkpoint answers: from the label names of its configuration to GLUE's order. Light."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness import DataError

from .glue_tasks import GlueTask

#: Other words that checkpoints have for GLUE's labels (lower case, letters only).
_SYNONYMS: Mapping[str, str] = MappingProxyType({
    "entailed": "entailment", "entails": "entailment", "contradictory": "contradiction", "contradicts": "contradiction",
    "nonentailment": "notentailment", "notentailed": "notentailment",
    "paraphrase": "equivalent", "notparaphrase": "notequivalent",
    "isduplicate": "duplicate", "notisduplicate": "notduplicate",
    "pos": "positive", "neg": "negative", "grammatical": "acceptable", "ungrammatical": "unacceptable",
})
#: The place of each of GLUE's labels among the answers of TextAttack's checkpoints, whose configurations name
#: none. Their other tasks have GLUE's order (TextAttack's own table of data sets by model).
_TEXTATTACK: Mapping[str, tuple[int, ...]] = MappingProxyType({"mnli": (1, 2, 0)})


@dataclass(frozen=True)
class LabelOrder:
    """``places``: where each of GLUE's labels is among the model's answers; ``notice``: what was assumed."""

    places: tuple[int, ...]
    notice: str = ""


def label_order(configuration: Mapping[str, Any], task: GlueTask, source: str) -> LabelOrder:
    """How a checkpoint's answers correspond to GLUE's labels.

    By the names in ``id2label`` (or ``label2id``); where these say nothing (``LABEL_0``), by what is known of the
    checkpoint's makers; else GLUE's order is assumed, and said. Raises :class:`harness.DataError` for a checkpoint
    with another number of labels, or with those of another task.
    """
    named = {int(place): str(name) for place, name in (configuration.get("id2label") or {}).items()} or {
        int(place): str(name) for name, place in (configuration.get("label2id") or {}).items()}
    names = [named[place] for place in sorted(named)]
    count = len(names) or int(configuration.get("num_labels", 2))
    if count != task.outputs:
        raise DataError(f"the checkpoint in {source} answers with {count} numbers, {task.title} needs {task.outputs}",
                        f"Give a checkpoint that was fine-tuned on {task.title}")
    usual = tuple(range(count))
    if task.regression:
        return LabelOrder(usual)
    if not names or all(re.fullmatch(r"(label)?_?\d+", name.lower()) for name in names):
        return _unnamed(configuration, task, source, usual)
    found = [_SYNONYMS.get(plain, plain) for plain in map(_plain, names)]
    wanted = [_plain(label) for label in task.labels]
    if sorted(found) != sorted(wanted):
        raise DataError(f"the checkpoint in {source} has the labels {', '.join(names)}, {task.title} has "
                        f"{', '.join(task.labels)}",
                        f"Give a checkpoint of {task.title}, or write its label names into id2label of its config.json")
    return LabelOrder(tuple(found.index(label) for label in wanted))


def _unnamed(configuration: Mapping[str, Any], task: GlueTask, source: str, usual: tuple[int, ...]) -> LabelOrder:
    if "textattack" in source.lower() or str(configuration.get("finetuning_task", "")).startswith("glue:"):
        places = _TEXTATTACK.get(task.config, usual)
        order = [task.labels[places.index(answer)] for answer in usual]
        return LabelOrder(places, f"TextAttack's checkpoint: its labels are {', '.join(order)}.")
    return LabelOrder(usual, "The checkpoint does not name its labels; GLUE's order is ASSUMED "
                             f"({', '.join(task.labels)}): write id2label into its config.json to be sure.")


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())
