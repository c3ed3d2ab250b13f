"""A sound search and a sound loss, and such that are broken in one way each."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from harness import Context, Loss, LossOptions, LossSpec, Options, Search, SearchSpec, Step, Uniform

from . import Fault, Kind, NoOptions
from .any_component import FAULTS
from .methods import GLOBAL, HARMED, LEFT, _hook, _save, _teacher


class Sound(Search[Options]):
    reach = 4.0

    def run(self, context: Context) -> None:
        for quantizer in context.model.quantizers.values():
            if isinstance(quantizer, Uniform):
                reach = torch.tensor(self.reach).expand(quantizer.partition.slots)
                quantizer.set_range(-reach, reach)
        self.afterwards(context)

    def afterwards(self, context: Context) -> None:
        """What some do besides."""


class Idle(Sound):
    def run(self, context: Context) -> None:
        """Nothing is set."""


class SetsNan(Sound):
    def afterwards(self, context: Context) -> None:
        context.model.quantizer("head.weight").get_parameter("scale").data.fill_(torch.nan)


class Unseeded(Sound):
    drawn = itertools.cycle([1.0, 2.0, 3.0])

    def afterwards(self, context: Context) -> None:
        context.model.quantizer("head.weight").get_parameter("scale").data.fill_(next(self.drawn))


class Draws(Sound):
    def afterwards(self, context: Context) -> None:
        torch.rand(1)


class Hooks(Sound):
    def afterwards(self, context: Context) -> None:
        _hook(context)


class ChangesTeacher(Sound):
    def afterwards(self, context: Context) -> None:
        _teacher(context)


class Saves(Sound):
    def afterwards(self, context: Context) -> None:
        _save(context)


def fault(component: str, law: str, says: str) -> Fault:
    return Fault(component, law, says, {"factory": f"faulty.searches:{component}"})


WRITTEN = "test_nothing_is_written_outside_of_its_folders"

SEARCH = Kind(
    SearchSpec(name="planted", summary="sound", factory="faulty.searches:Sound", options=NoOptions),
    (*FAULTS,
     fault("Idle", "test_it_sets_something", "as it was before"), fault("SetsNan", "test_it_sets_something", "NaN"),
     fault("Unseeded", "test_the_same_seed_finds_the_same", "finds another"),
     fault("Draws", GLOBAL, "random state"), fault("Hooks", LEFT, "a hook on"),
     fault("ChangesTeacher", HARMED, "the teacher"), fault("Saves", WRITTEN, "ranges.pt")))


class SoundLoss(Loss[LossOptions]):
    def forward(self, step: Step) -> Tensor:
        return (step.outputs - step.teacher.outputs).square().mean()


class Row(SoundLoss):
    def forward(self, step: Step) -> Tensor:
        return (step.outputs - step.teacher.outputs).square().mean(1)


class NanLoss(SoundLoss):
    def forward(self, step: Step) -> Tensor:
        return super().forward(step) * torch.nan


class Detached(SoundLoss):
    def forward(self, step: Step) -> Tensor:
        return super().forward(step).detach()


def uncallable(options: LossOptions) -> int:
    return 3


class UnseededLoss(SoundLoss):
    drawn = itertools.cycle([1.0, 2.0, 3.0])

    def forward(self, step: Step) -> Tensor:
        return super().forward(step) * next(self.drawn)


class InPlace(SoundLoss):
    def forward(self, step: Step) -> Tensor:
        step.batch.inputs.mul_(0.5)
        return super().forward(step)


class Weightless(SoundLoss):
    def weight(self, progress: float) -> float:
        return 1 - 2 * progress


class DrawsLoss(SoundLoss):
    def prepare(self, context: Context) -> None:
        torch.rand(1)


class HooksLoss(SoundLoss):
    def prepare(self, context: Context) -> None:
        _hook(context)


class TeacherLoss(SoundLoss):
    def prepare(self, context: Context) -> None:
        _teacher(context)


class SavesLoss(SoundLoss):
    def prepare(self, context: Context) -> None:
        _save(context)


SCALAR = "test_it_is_a_finite_scalar_with_a_gradient"
SOUND_LOSS: dict[str, Any] = {"name": "planted", "summary": "sound", "factory": "faulty.searches:SoundLoss",
                              "options": LossOptions}

LOSS = Kind(
    LossSpec(**SOUND_LOSS),
    (*FAULTS,
     fault("Row", SCALAR, "it has the shape"), fault("NanLoss", SCALAR, "it is nan"),
     fault("Detached", SCALAR, "no parameter of the model gets a gradient"), fault("uncallable", SCALAR, "int"),
     fault("UnseededLoss", "test_it_is_deterministic", "asked twice"),
     fault("InPlace", "test_it_leaves_the_batch_alone", "it changes the batch"),
     fault("Weightless", "test_its_weight_is_a_number", "it weighs -0."),
     fault("DrawsLoss", GLOBAL, "random state"), fault("HooksLoss", LEFT, "a hook on"),
     fault("TeacherLoss", HARMED, "the teacher"), fault("SavesLoss", WRITTEN, "ranges.pt")))
