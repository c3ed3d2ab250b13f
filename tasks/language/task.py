"""A GLUE task: model, samples and metric at both scales."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn, random
from torch.nn import functional

from harness import Batch, DataError, Resolved, Samples, Scorer, Task, load_weights

from . import mini_models
from .bert_checkpoints import loaded_model, random_model
from .checkpoint_folder import read_folder
from .encoded_cache import encoded
from .encoding import Encoding
from .glue_tasks import GLUE_TASKS
from .layouts import find_splits
from .mini_language import VOCABULARY, rows
from .samples import SentenceSamples
from .scorer import GlueScorer
from .split import GlueSplit, made_split
from .tokenizer import read_tokenizer, tokenizer_of


class GlueTaskOnBert(Task):
    """One of the eight tasks with BERT; or the small generated language of its form."""

    def __init__(self, resolved: Resolved) -> None:
        super().__init__(resolved)
        self._task = GLUE_TASKS[resolved.task]
        self.training_batch_size = self._task.batch_size

    def model(self) -> nn.Module:
        """See :meth:`harness.Task.model`. Raises :class:`DataError` for a checkpoint that does not fit."""
        where = self.resolved.locations
        if self.resolved.scale == "mini":
            with random.fork_rng(devices=[]):
                random.manual_seed(where["seed"] or 0)
                model = mini_models.build(self._task.name, trained=False)
            if where["weights"]:
                load_weights(model, where["weights"])
            return model
        if where["weights"]:
            return loaded_model(read_folder(Path(where["weights"])), self._task, where["answers"])
        return random_model(self.resolved.model, self._task, self._encoding.vocabulary_size, where["seed"])

    def pool(self) -> Samples:
        """The train split."""
        return self._samples((self._splits[0],), by_length=False)

    def evaluation(self) -> Samples:
        """The validation split; MNLI's matched one, and its mismatched one behind it."""
        return self._samples(self._splits[1:], by_length=True)

    def example(self, evaluation: Samples) -> Any:
        """The first evaluation sample, padded to the task's full length: costs do not depend on the sentence."""
        if not isinstance(evaluation, SentenceSamples):
            return super().example(evaluation)
        return evaluation.one(0, self._encoding.max_length)

    def scorer(self) -> Scorer:
        """GLUE's metrics of the task, in percent."""
        return GlueScorer(self._task)

    def forward(self, model: nn.Module, inputs: Any) -> Tensor:
        """The logits (batch, class), or the score (batch, 1)."""
        return model(**inputs).logits

    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy of the logits, or the mean squared error of the score; and the model's answer."""
        answers = self.forward(model, batch.inputs)
        if self._task.regression:
            return functional.mse_loss(answers[:, 0], batch.targets), answers
        return functional.cross_entropy(answers, batch.targets), answers

    def divergence(self, reference: Tensor, outputs: Tensor) -> Tensor:
        """See :meth:`harness.Task.divergence`; of scores their mean squared difference."""
        if self._task.regression:
            return functional.mse_loss(outputs.double(), reference.double())
        return super().divergence(reference, outputs)

    def _samples(self, splits: tuple[GlueSplit, ...], by_length: bool) -> SentenceSamples:
        found = [encoded(split, self._encoding) for split in splits]
        return SentenceSamples(splits, found, self._task.regression, by_length)

    @cached_property
    def _encoding(self) -> Encoding:
        where = self.resolved.locations
        tokenizer = (tokenizer_of(VOCABULARY) if self.resolved.scale == "mini"
                     else read_tokenizer(Path(where["vocabulary"])))
        return Encoding(tokenizer, self._task, where["length"])

    @cached_property
    def _splits(self) -> tuple[GlueSplit, ...]:
        """The train split and the validation splits."""
        if self.resolved.scale == "mini":
            return tuple(_made(self._task.name, name) for name in ("train", *self._task.validation_splits))
        train, validation = find_splits(self.resolved.locations["data"], self._task)
        where = self.resolved.locations
        if [split.fingerprint for split in (train, *validation)] != [where["train"], *where["evaluation"]]:
            raise DataError(f"the sentences of {self._task.title} in {where['data']} have changed since the run was "
                            "planned", "Let nothing write to the data while runs are going on, then start again")
        return train, *validation


@cache
def _made(task: str, split: str) -> GlueSplit:
    """A split of the small language, which takes seconds to make; nobody changes it."""
    return made_split(split, GLUE_TASKS[task], rows(task, split), "the small generated language")
