"""A sound method that trains, and methods whose training is broken in one way each."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from harness import (
    Choice,
    Context,
    Group,
    Identity,
    Loss,
    LossOptions,
    MethodSpec,
    QuantizationAware,
    Quantizer,
    Stage,
    Step,
    TrainedOptions,
    Uniform,
)

from . import Fault, Kind
from .methods import LEFT, _hook


class SoundOptions(TrainedOptions):
    weights: Choice = Field(Choice(name="learned", options={"granularity": "channel"}), description="of weights")
    activations: Choice = Field(Choice(name="learned"), description="of activations")


class Sound(QuantizationAware[SoundOptions]):
    def stages(self, context: Context) -> list[Stage]:
        return [Stage("train", self.options.training, [*self.options.losses, *self.own()], groups=self.groups())]

    def own(self) -> list[Loss[Any]]:
        return []

    def groups(self) -> dict[str, Group]:
        return {}


class FreezesWeights(Sound):
    def groups(self) -> dict[str, Group]:
        return {"weights": Group(until=0.0), "others": Group(until=0.0)}


class FreezesScales(Sound):
    def groups(self) -> dict[str, Group]:
        return {"scales": Group(until=0.0)}


class Unnoted(Sound):
    def train(self, context: Context) -> None:
        super().train(context)
        del context.notes["training"]


class TakesOff(Sound):
    def train(self, context: Context) -> None:
        super().train(context)
        context.model.place("head.weight", Uniform(context.model.sites["head.weight"].layout.partition("tensor"), 16))


class Moody(Quantizer):
    """Another one under gradients than without."""

    def __init__(self, inner: Quantizer) -> None:
        super().__init__()
        self.inner = inner
        self.calls = itertools.cycle([1.0, 2.0])

    def quantize(self, tensor: Tensor) -> Tensor:
        return self.inner(tensor) * next(self.calls)

    def describe(self) -> dict[str, Any]:
        return self.inner.describe()


class Unbakable(Sound):
    def train(self, context: Context) -> None:
        super().train(context)
        context.model.place("head.weight", Moody(context.model.quantizer("head.weight")))


DRAWN = itertools.cycle([1.0, 2.0, 3.0])


class Drawn(Loss[LossOptions]):
    def forward(self, step: Step) -> Tensor:
        return step.task_loss * next(DRAWN)


class Counting(Loss[LossOptions]):
    """Counts in a plain attribute, which no snapshot holds."""

    def prepare(self, context: Context) -> None:
        self.count = 0

    def forward(self, step: Step) -> Tensor:
        self.count += 1
        return step.task_loss * self.count


class Undetermined(Sound):
    def own(self) -> list[Loss[Any]]:
        return [Drawn(LossOptions())]


class Forgets(Sound):
    def own(self) -> list[Loss[Any]]:
        return [Counting(LossOptions())]


class NoBfloat(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.bfloat16:
            raise TypeError("bfloat16 is not supported")
        return super().quantize(tensor)


class OneTypeOnly(Sound):
    def calibrate(self, context: Context) -> None:
        super().calibrate(context)
        site = context.model.sites["blocks.0.attn.query"]
        context.model.place(site.path, NoBfloat(site.layout.partition("tensor"), context.bits.activations))


class NanInBfloat(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (torch.nan if tensor.dtype == torch.bfloat16 else 1)


class NanInHalf(Sound):
    def calibrate(self, context: Context) -> None:
        super().calibrate(context)
        site = context.model.sites["blocks.0.attn.query"]
        context.model.place(site.path, NanInBfloat(site.layout.partition("tensor"), context.bits.activations))


class GivesUp(Sound):
    def train(self, context: Context) -> None:
        super().train(context)
        context.model.place("head.weight", Identity())


class Notes(Sound):
    """Notes what was not."""

    steps, loss = 0, 1.0

    def train(self, context: Context) -> None:
        super().train(context)
        stage = context.notes["training"][0]
        context.notes["training"] = [stage | {"steps": self.steps, "loss": [self.loss]}]


class NotesNan(Notes):
    steps, loss = 8, float("nan")


class HooksWhileTraining(Sound):
    def train(self, context: Context) -> None:
        super().train(context)
        _hook(context)


def fault(method: str, law: str, says: str) -> Fault:
    return Fault(method, law, says, {"factory": f"faulty.training:{method}"})


KEPT = "test_training_keeps_the_bits_that_were_asked_for"
CHANGES = "test_training_changes_weights_and_quantizers"

#: Faults of training alone.
TRAINING = Kind(
    MethodSpec(name="planted", summary="sound", factory="faulty.training:Sound", quantizes="all", options=SoundOptions,
               trains=True),
    (fault("FreezesWeights", CHANGES, "no weight of the model"),
     fault("FreezesScales", CHANGES, "no parameter of a quantizer"),
     fault("Unnoted", "test_training_is_noted", "no stage is noted"),
     fault("Notes", "test_training_is_noted", "took no step"),
     fault("NotesNan", "test_training_is_noted", "has NaN among its losses"),
     fault("GivesUp", KEPT, "head.weight is quantized before training or after it, not both"),
     fault("TakesOff", KEPT, "head.weight ends at 16"),
     fault("Unbakable", "test_training_leaves_a_model_that_evaluates_alike_when_baked", "with baked weights"),
     fault("Undetermined", "test_training_is_deterministic", "two trainings differ"),
     fault("Forgets", "test_training_that_was_killed_goes_on_where_it_was", "two trainings differ"),
     fault("NanInHalf", "test_it_trains_in_bfloat16", "under autocast the outputs have NaN"),
     fault("OneTypeOnly", "test_it_trains_in_bfloat16", "bfloat16 is not supported"),
     fault("HooksWhileTraining", LEFT, "a hook on model.head")))
