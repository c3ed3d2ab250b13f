"""A sound task with the adapter of its attention class, and such that are broken in one way each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import Batch, Resolved, Samples, Scorer, Scores, TaskSpec, View
from harness.testing.tiny_vit import TinyAttention, tiny_vit
from harness.testing.toy import Noise, ToyScorer, ToyTask

from . import Fault, Kind, NoOptions
from .any_component import FAULTS
from .resolving import resolve as light_resolve

resolve = light_resolve  # from a module that imports torch


class Sound(ToyTask):
    def __init__(self, resolved: Resolved) -> None:
        super().__init__()
        self.resolved = resolved


class InTraining(Sound):
    def model(self) -> nn.Module:
        return super().model().train()


class Unseeded(Sound):
    drawn = itertools.count()

    def model(self) -> nn.Module:
        return tiny_vit(next(self.drawn))


class Named(Noise):
    def __init__(self, names: Sequence[Any]) -> None:
        super().__init__(len(names))
        self.ids = names


class Twins(Sound):
    def evaluation(self) -> Samples:
        return Named(["same"] * 16)


class Numbers(Sound):
    def evaluation(self) -> Samples:
        return Named(range(16))


class Overlapping(Sound):
    def evaluation(self) -> Samples:
        return self.pool()


class Whole(Noise):
    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        return super().batches(indices, len(indices))


class Changing(Noise):
    drawn = itertools.count()

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for batch in super().batches(indices, size):
            batch.inputs = batch.inputs + next(self.drawn)
            yield batch


class IgnoresSize(Sound):
    def pool(self) -> Samples:
        return Whole(16)


class Changes(Sound):
    def pool(self) -> Samples:
        return Changing(16)


class NanOutputs(Sound):
    def forward(self, model: nn.Module, inputs: Any) -> Any:
        return super().forward(model, inputs) * torch.nan


class OtherMetric(ToyScorer):
    def result(self) -> Scores:
        return Scores({"accuracy": super().result().metrics["top1"]})


class NanMetric(ToyScorer):
    def result(self) -> Scores:
        return Scores({"top1": float("nan")})


class BatchWise(ToyScorer):
    """The largest logit of a batch, averaged over batches."""

    def __init__(self) -> None:
        super().__init__()
        self.largest: list[float] = []

    def update(self, outputs: Tensor, batch: Batch) -> None:
        self.largest.append(float(outputs.max()))

    def result(self) -> Scores:
        return Scores({"top1": sum(self.largest) / len(self.largest)})


def scored_by(kind: type[ToyScorer]) -> type[Sound]:
    class Scored(Sound):
        def scorer(self) -> Scorer:
            return kind()
    return Scored


WrongMetric, NotANumber, DependsOnBatches = map(scored_by, (OtherMetric, NanMetric, BatchWise))


class OtherAttention(TinyAttention):
    """A class without an adapter."""


class Unadapted(Sound):
    def model(self) -> nn.Module:
        model: Any = super().model()
        model.blocks[0].attn = OtherAttention()
        return model.eval()


class RowDivergence(Sound):
    def divergence(self, reference: Any, outputs: Any) -> Tensor:
        return (reference - outputs).square().mean(1)


class NeverZero(Sound):
    def divergence(self, reference: Any, outputs: Any) -> Tensor:
        return super().divergence(reference, outputs) + 1


class AlwaysZero(Sound):
    def divergence(self, reference: Any, outputs: Any) -> Tensor:
        return super().divergence(reference, outputs) * 0


class RowObjective(Sound):
    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        loss, logits = super().objective(model, batch)
        return loss.expand(3), logits


class DetachedObjective(Sound):
    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        loss, logits = super().objective(model, batch)
        return loss.detach().requires_grad_(), logits


class RandomViews:
    drawn = itertools.count()

    def __init__(self, samples: Samples) -> None:
        self.samples, self.ids = samples, samples.ids

    def batch(self, views: Sequence[View]) -> Batch:
        batch = next(iter(self.samples.batches([view.index for view in views], len(views))))
        batch.inputs = batch.inputs + next(self.drawn)
        return batch


class ViewsChange(Sound):
    def training(self) -> Any:
        return RandomViews(self.pool())


class TrainsOnTheTest(Sound):
    def training(self) -> Any:
        from harness import Unaugmented

        return Unaugmented(self.evaluation())


class NoExample(Sound):
    def example(self, evaluation: Samples) -> Any:
        raise ZeroDivisionError("no example")


class Seeds(Sound):
    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return super().model()


class Writes(Sound):
    def model(self) -> nn.Module:
        Path("model.txt").write_text("tiny")
        return super().model()


class Saves(Sound):
    def model(self) -> nn.Module:
        torch.save({}, "model.pt")
        return super().model()


def task(name: str, law: str, says: str) -> Fault:
    return Fault(name, law, says, {"factory": f"faulty.tasks:{name}"})


def light(name: str, law: str, says: str) -> Fault:
    return Fault(name, law, says, {"resolve": f"faulty.resolving:{name}"})


SAME, REFUSED = "test_it_resolves_to_the_same_again", "test_a_wrong_request_is_refused_in_words"
MODEL, NAMES = "test_its_model_is_the_same_every_time", "test_samples_have_names_and_the_splits_are_disjoint"
BATCHES, NUMBERS = "test_batches_hold_what_was_asked_for", "test_its_metrics_are_numbers_and_the_main_one_is_first"
DISTANCE, TRAINED = "test_its_divergence_is_a_distance", "test_it_can_be_trained_if_it_says_so"
GLOBAL = "test_nothing_global_is_changed_and_nothing_is_written_elsewhere"

TASK = Kind(
    TaskSpec(name="planted", summary="sound", factory="faulty.tasks:Sound", resolve="faulty.resolving:resolve",
             metric="top1", models={"mini": ("tiny_vit",)}, data_help="none", options=NoOptions, trains=True),
    (*FAULTS,
     Fault("a heavy resolve", "test_it_resolves_without_torch", "torch was imported",
           {"resolve": "faulty.tasks:resolve"}),
     light("another_every_time", SAME, "resolved twice"), light("unlisted", SAME, "'huge_vit' is not among"),
     light("of_another_task", SAME, "it resolves to imagenet"),
     light("accepts_all", REFUSED, "it accepts"), light("gruff", REFUSED, "has no remedy"),
     task("InTraining", MODEL, "in training mode"), task("Unseeded", MODEL, "two models differ"),
     task("Twins", NAMES, "16 samples have 1 names"), task("Numbers", NAMES, "the names of samples are"),
     task("Overlapping", NAMES, "is in both splits"),
     task("IgnoresSize", BATCHES, "2 at a time: [3]"), task("Changes", BATCHES, "asked twice"),
     task("NanOutputs", NUMBERS, "the outputs have NaN"), task("WrongMetric", NUMBERS, "the TaskSpec names top1"),
     task("NotANumber", NUMBERS, "nan"),
     task("DependsOnBatches", "test_its_metrics_do_not_depend_on_the_batches", "top1 differs between batches"),
     task("Unadapted", "test_its_model_is_instrumented_without_a_change", "no adapter for attention class"),
     task("RowDivergence", DISTANCE, "has the shape"), task("NeverZero", DISTANCE, "equal responses diverge by 1"),
     task("AlwaysZero", DISTANCE, "another model diverges by 0"),
     task("RowObjective", TRAINED, "the loss is"), task("DetachedObjective", TRAINED, "no parameter gets a gradient"),
     task("ViewsChange", TRAINED, "a view differs"), task("TrainsOnTheTest", TRAINED, "of the evaluation split"),
     task("NoExample", "test_a_method_runs_on_it", "no example"),
     task("Seeds", GLOBAL, "torch's random state"), task("Writes", GLOBAL, "was about to write"),
     task("Saves", GLOBAL, "model.pt was left"),
     ))
