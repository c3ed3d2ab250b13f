"""A BERT of a few thousand parameters on random words, and the context that the engine would hand to a method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness import (
    Batch,
    Bits,
    Budget,
    Calibration,
    Context,
    InstrumentedModel,
    Method,
    Resolved,
    Scorer,
    Task,
    Trainer,
    instrument,
)
from harness.engine.trial import make_trial
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import ToyScorer, divergence
from harness.training.snapshot import Snapshots
from harness_tasks.language.bert_attention import BertSelfAttentionTwin

WORDS, WIDTH, HEADS, LAYERS, CLASSES = 50, 32, 4, 2, 3
ATTENTION = "transformers.models.bert.modeling_bert.BertSelfAttention"


def tiny_bert(outputs: int = CLASSES) -> nn.Module:
    """transformers' own, with random weights and dropout; always the same."""
    from transformers import BertConfig, BertForSequenceClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(vocab_size=WORDS, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                            intermediate_size=2 * WIDTH, max_position_embeddings=16, num_labels=outputs)
        model = BertForSequenceClassification(config)
        for parameter in model.parameters():  # BERT's own start (0.02) leaves every answer the same
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.2)
    return model.eval()


@dataclass
class WordBatch:
    """Sentences as BERT takes them, padded to the longest, and their classes, int64 (batch,)."""

    inputs: dict[str, Tensor]
    targets: Tensor


class Words:
    """Random sentences of 4 to 9 words, each a function of its index alone."""

    def __init__(self, size: int) -> None:
        self.ids: Sequence[str] = [f"words-{index}" for index in range(size)]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[WordBatch]:
        for start in range(0, len(indices), size):
            yield self._batch(list(indices[start:start + size]))

    def _batch(self, indices: list[int]) -> WordBatch:
        rows = [torch.randint(1, WORDS, (4 + index % 6,), generator=torch.Generator().manual_seed(index))
                for index in indices]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return WordBatch({"input_ids": ids, "attention_mask": (ids > 0).long(),
                          "token_type_ids": torch.zeros_like(ids)}, torch.tensor([i % CLASSES for i in indices]))


class WordTask(Task):
    """The tiny BERT on classes without meaning."""

    def __init__(self, samples: int = 16) -> None:
        super().__init__(Resolved("words", "mini", "tiny_bert", "words", "seed 0"))
        self._samples = samples

    def model(self) -> nn.Module:
        return tiny_bert()

    def pool(self) -> Words:
        return Words(self._samples)

    def evaluation(self) -> Words:
        return Words(self._samples)

    def scorer(self) -> Scorer:
        return ToyScorer()

    def forward(self, model: nn.Module, inputs: Any) -> Any:
        return model(**inputs).logits

    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        logits = self.forward(model, batch.inputs)
        return torch.nn.functional.cross_entropy(logits, batch.targets), logits


def silent(what: str, total: int) -> AbstractContextManager[Callable[..., None]]:
    return nullcontext(lambda text="": None)


def method_of(name: str, options: Mapping[str, Any]) -> Method[Any]:
    """The method with what ``--set`` would give it."""
    spec = registry().methods[name]
    method: Method[Any] = registry().component(spec)(resolve(spec.options, options, f"method {name}"))
    return method


def language_context(bits: Bits, method: Method[Any] | None = None, budget: str = "steps=2",
                     snapshots: Snapshots | None = None) -> Context:
    """The tiny BERT, instrumented, with calibration sentences and a trainer; trials where there is a method."""
    task = WordTask()
    calibration = Calibration(task.pool(), list(range(16)), task.forward, batch_size=4)

    def instrumented(_: str | None = None) -> InstrumentedModel:
        return instrument(tiny_bert(), {ATTENTION: BertSelfAttentionTwin})

    trainer = Trainer(task, Budget.parse(budget), 0, silent, torch.device("cpu"), instrumented, snapshots)
    context = Context(instrumented(), calibration, bits, registry(), divergence, torch.Generator().manual_seed(0),
                      silent, kind="language", trainer=trainer)
    if method is not None:
        context.make_trial = partial(make_trial, context, method, instrumented)
    return context


def run(name: str, bits: Bits, *, train: bool = True, budget: str = "steps=2", snapshots: Snapshots | None = None,
        **options: Any) -> Context:
    """Allocated, placed, calibrated and, if the method trains, trained; in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = method_of(name, options)
        context = language_context(bits, method, budget, snapshots)
        for act in (method.allocate, method.place, method.calibrate):
            act(context)
        if train and registry().methods[name].trains:
            method.train(context)
    context.model.eval()
    return context


@torch.no_grad()
def answers(context: Context) -> Tensor:
    """The model's logits for eight sentences, (8, classes)."""
    return context.model(**next(Words(16).batches(range(8), 8)).inputs).logits
