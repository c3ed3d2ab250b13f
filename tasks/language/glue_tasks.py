"""The eight tasks of GLUE: what differs between them. Light: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

VARIABLE = "HARNESS_GLUE"
"""Environment variable that names the folder of the GLUE data."""


@dataclass(frozen=True)
class GlueTask:
    """One task of GLUE (Wang et al. 2019), with the sequence lengths of Huang et al. 2024, Table 10.

    Attributes:
        config: its name in the Hugging Face data set ``nyu-mll/glue``.
        title: what people call it; the name of its folder in the original layout.
        columns: the one or two sentence columns of the Hugging Face data set.
        labels: the label names in GLUE's order; empty for a score (STS-B: 0 to 5).
        max_length: tokens at most, the special ones included.
        batch_size: sentences of a training step in the same table.
        train_size: sentences (or pairs) of the official train split.
        validation_sizes: the same of each official validation split.
        metrics: what is measured, the main one first.
        validation_splits: names of the validation splits in the Hugging Face data set.
    """

    config: str
    title: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    max_length: int
    batch_size: int
    train_size: int
    validation_sizes: tuple[int, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    validation_splits: tuple[str, ...] = ("validation",)

    @property
    def name(self) -> str:
        """The task's name here."""
        return f"glue-{self.config}"

    @property
    def regression(self) -> bool:
        """Whether the label is a score."""
        return not self.labels

    @property
    def kind(self) -> str:
        """What its label is, in words."""
        return "a score" if self.regression else f"{len(self.labels)} classes"

    @property
    def outputs(self) -> int:
        """Numbers that a model answers with: one for each label, or the score."""
        return len(self.labels) or 1


GLUE_TASKS: Mapping[str, GlueTask] = MappingProxyType({task.name: task for task in (
    GlueTask("mnli", "MNLI", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), 128, 16,
             392_702, (9_815, 9_832), ("accuracy", "accuracy_mm"), ("validation_matched", "validation_mismatched")),
    GlueTask("qqp", "QQP", ("question1", "question2"), ("not_duplicate", "duplicate"), 128, 32,
             363_846, (40_430,), ("accuracy", "f1")),
    GlueTask("qnli", "QNLI", ("question", "sentence"), ("entailment", "not_entailment"), 128, 16, 104_743, (5_463,)),
    GlueTask("sst2", "SST-2", ("sentence",), ("negative", "positive"), 64, 16, 67_349, (872,)),
    GlueTask("cola", "CoLA", ("sentence",), ("unacceptable", "acceptable"), 64, 64, 8_551, (1_043,), ("matthews",)),
    GlueTask("stsb", "STS-B", ("sentence1", "sentence2"), (), 128, 16, 5_749, (1_500,), ("spearman", "pearson")),
    GlueTask("mrpc", "MRPC", ("sentence1", "sentence2"), ("not_equivalent", "equivalent"), 128, 8,
             3_668, (408,), ("accuracy", "f1")),
    GlueTask("rte", "RTE", ("sentence1", "sentence2"), ("entailment", "not_entailment"), 128, 32, 2_490, (277,)),
)})
"""The tasks by name, in the order of the papers' tables."""
