"""GLUE's metrics: accuracy, F1, Matthews' correlation, Pearson's and Spearman's, in percent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef
from torch import Tensor

from harness import DataError, QuantizationError, Scores

from .glue_tasks import GlueTask

Metric = Callable[[np.ndarray, np.ndarray], float]


def correlation(measure: Metric) -> Metric:
    """A correlation coefficient, and 0 where it is not defined: answers, or labels, that are all the same."""
    return lambda answers, labels: (0.0 if np.ptp(answers) == 0 or np.ptp(labels) == 0 else measure(answers, labels))


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """The part of the answers that is right."""
    return float(np.mean(answers == labels))


METRICS: Mapping[str, Metric] = MappingProxyType({
    "accuracy": accuracy,
    "accuracy_mm": accuracy,
    # F1 of label 1 (paraphrase, duplicate); 0 where it is neither answered nor there.
    "f1": lambda answers, labels: float(f1_score(labels, answers, zero_division=0.0)),
    "matthews": correlation(lambda answers, labels: float(matthews_corrcoef(labels, answers))),
    "pearson": correlation(lambda answers, labels: float(pearsonr(answers, labels).statistic)),
    "spearman": correlation(lambda answers, labels: float(spearmanr(answers, labels).statistic)),
})
"""Name -> function of answers and labels, both (sample,), which gives a part of 1."""


class GlueScorer:
    """Accumulates the answers of a model to one task."""

    def __init__(self, task: GlueTask) -> None:
        self._task = task
        self._answers: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._positions: list[Tensor] = []
        self._parts: list[Tensor] = []

    def update(self, outputs: Tensor, batch: Any) -> None:
        """Take the answers (batch, outputs) to a :class:`.samples.SentenceBatch`.

        Raises :class:`harness.QuantizationError` for NaN. Of equal logits the first counts, so that a model whose
        logits collapse scores the same on every device.
        """
        if outputs.isnan().any():
            raise QuantizationError("the model's outputs are NaN", "A quantizer of this run makes NaN; see its method")
        answers = outputs.float().cpu()
        self._answers.append(answers[:, 0].double() if self._task.regression
                             else (answers == answers.amax(1, keepdim=True)).int().argmax(1))
        self._labels.append(batch.targets.cpu())
        self._positions.append(batch.positions)
        self._parts.append(batch.parts)

    def result(self) -> Scores:
        """The task's metrics, the main one first.

        ``per_sample`` says for each sample whether it was right, where accuracy is all there is; else what was answered
        and what the label is, from which every metric of the task can be computed. MNLI's mismatched sentences
        have a metric of their own, which is left out where there were none, and no part in ``per_sample``.
        """
        if not self._answers:
            raise DataError("no sample was evaluated", "Use a limit of at least 1")
        order = torch.cat(self._positions).argsort()
        answers, labels, parts = (torch.cat(values)[order].numpy()
                                  for values in (self._answers, self._labels, self._parts))
        first = parts == 0
        metrics = {name: 100.0 * METRICS[name](answers[chosen], labels[chosen]) for name in self._task.metrics
                   if (chosen := ~first if name == "accuracy_mm" else first).any()}
        statistic, per_sample = self._per_sample(answers[first], labels[first])
        return Scores(metrics, per_sample, beside=tuple(metrics)[1:], statistic=statistic)

    def _per_sample(self, answers: np.ndarray, labels: np.ndarray) -> tuple[str, Sequence[float] | Mapping[str, Any]]:
        main, *others = self._task.metrics
        if main == "accuracy" and "f1" not in others:
            return "mean", tuple((answers == labels).astype(float).tolist())
        return main, {"answer": tuple(answers.tolist()), "label": tuple(labels.tolist())}
