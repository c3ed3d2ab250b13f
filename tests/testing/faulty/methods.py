"""A sound method, and methods that are broken in one way each."""

from __future__ import annotations

import itertools
import os
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness import BitRange, Context, Method, MethodSpec, Options, Quantizer, Site, Uniform

from . import Fault, Kind, NoOptions
from .any_component import FAULTS
from .placed import (
    Detached,
    Halves,
    Hidden,
    Lying,
    NanForOneToken,
    OneSample,
    OtherInDouble,
    Single,
    Sized,
    Slow,
    Untold,
)


class Sound(Method[Options]):
    """The largest weight of a channel, and 4 for every activation."""

    def place(self, context: Context) -> None:
        for path, site in context.model.sites.items():
            bits = context.bits.weights if site.is_weight else context.bits.activations
            context.model.place(path, self.quantizer(site, bits))

    def quantizer(self, site: Site, bits: int) -> Quantizer:
        return Uniform(site.layout.partition("channel" if site.is_weight else "tensor"), bits)

    def calibrate(self, context: Context) -> None:
        for path, quantizer in context.model.quantizers.items():
            if isinstance(quantizer, Uniform):
                site = context.model.sites[path]
                reach = torch.tensor(4.0)
                if site.is_weight:
                    weight = context.model.operation(site.operation).get_parameter("weight")
                    reach = quantizer.partition.reduce(weight.detach().abs(), "amax")
                reach = self.reach(context, reach.cpu()).expand(quantizer.partition.slots)
                quantizer.set_range(-reach, reach)
        self.afterwards(context)

    def reach(self, context: Context, reach: Tensor) -> Tensor:
        return reach

    def afterwards(self, context: Context) -> None:
        """What some do besides."""


class WeightsOnly(Sound):
    def place(self, context: Context) -> None:
        for path, site in context.model.sites.items():
            if site.is_weight:
                context.model.place(path, self.quantizer(site, context.bits.weights))


class ActivationsOnly(Sound):
    def place(self, context: Context) -> None:
        for path, site in context.model.sites.items():
            if not site.is_weight:
                context.model.place(path, self.quantizer(site, context.bits.activations))


class MakesNan(Sound):
    def afterwards(self, context: Context) -> None:
        context.model.quantizer("head.weight").get_parameter("scale").data.fill_(torch.nan)


class Idle(Sound):
    def place(self, context: Context) -> None:
        """Nothing is placed."""


class MoreValuesInWeights(Sound):
    def quantizer(self, site: Site, bits: int) -> Quantizer:
        return Lying(site, bits) if site.is_weight else super().quantizer(site, bits)


class MoreValuesInActivations(Sound):
    def quantizer(self, site: Site, bits: int) -> Quantizer:
        return super().quantizer(site, bits) if site.is_weight else Lying(site, bits)


def on_activations(kind: type[Uniform]) -> type[Sound]:
    """The sound method with another quantizer on activations."""
    class Other(Sound):
        def quantizer(self, site: Site, bits: int) -> Quantizer:
            return super().quantizer(site, bits) if site.is_weight else kind(site.layout.partition("tensor"), bits)
    return Other


(HalvesThem, Describes, RemembersSizes, InSinglePrecision, NoGradient, FailsForOneToken, LosesSamples, OtherThere,
 SlowForward) = map(on_activations, (Halves, Untold, Sized, Single, Detached, NanForOneToken, OneSample, OtherInDouble,
                                     Slow))


class HidesState(on_activations(Hidden)):  # type: ignore[misc]
    def afterwards(self, context: Context) -> None:
        factor = 1 + float(next(context.calibration.batches()).mean().abs())
        for quantizer in context.model.quantizers.values():
            if isinstance(quantizer, Hidden):
                quantizer.factor = factor


DRAWN = itertools.cycle([0.1, 0.2, 0.3])


class Unseeded(Sound):
    def reach(self, context: Context, reach: Tensor) -> Tensor:
        return reach * (0.5 + next(DRAWN))


class WorseWithBits(Sound):
    def reach(self, context: Context, reach: Tensor) -> Tensor:
        return reach * (1e4 if context.bits.weights == 8 else 1)


class OtherDevice(Sound):
    def reach(self, context: Context, reach: Tensor) -> Tensor:
        return reach if context.calibration.device.index is None else reach * 20


class Generous(BitRange):
    """Says that it goes from 2 to 8, and takes all."""

    def __contains__(self, bits: object) -> bool:
        return True


class NanAtTwoBits(MakesNan):
    def afterwards(self, context: Context) -> None:
        if context.bits.weights == 2:
            super().afterwards(context)


class FailsAtTwoBits(Sound):
    def place(self, context: Context) -> None:
        if context.bits.weights == 2:
            raise ZeroDivisionError("no level")
        super().place(context)


class Product(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.eye(x.shape[-1])


class AddsAProduct(Sound):
    def afterwards(self, context: Context) -> None:
        model: Any = context.model.model
        model.norm = nn.Sequential(model.norm, Product())


def acting(act: Any) -> type[Sound]:
    """The sound method, which does something else besides."""
    class Acting(Sound):
        def afterwards(self, context: Context) -> None:
            act(context)
    return Acting


def _train(context: Context) -> None:
    context.model.model.train()


def _patch(context: Context) -> None:
    vars(nn.functional)["gelu"] = lambda x: x


def _swap(context: Context) -> None:
    vars(nn.functional)["gelu"] = torch.relu


def _teacher(context: Context) -> None:
    assert context.trainer is not None
    next(context.trainer.teacher().parameters()).data.mul_(2)


def _full_precision(context: Context) -> None:
    assert context.trainer is not None
    next(context.trainer.task.model().parameters()).data.mul_(2)


def _switch_off(context: Context) -> None:
    context.model.quantizer("head.input").enabled = False


def _bake(context: Context) -> None:
    head: Any = context.model.operation("head")
    head.bake()


def _hook(context: Context) -> None:
    context.model.operation("head").register_forward_hook(lambda *_: None)


def _write(context: Context) -> None:
    Path("ranges.txt").write_text("4")


def _save(context: Context) -> None:
    torch.save({"reach": 4}, "ranges.pt")


SeedsTorch, DrawsFromTorch, DrawsFromNumpy, DrawsFromPython = (
    acting(lambda context: torch.manual_seed(1)), acting(lambda context: torch.rand(1)),
    acting(lambda context: np.random.rand()), acting(lambda context: random.random()))
SetsThreads, SetsType, SetsVariable, Moves = (
    acting(lambda context: torch.set_num_threads(torch.get_num_threads() + 1)),
    acting(lambda context: torch.set_default_dtype(torch.float64)),
    acting(lambda context: os.environ.update(FAULTY="1")), acting(lambda context: os.chdir("/")))
Deterministic, Silences, Patches, Swaps = (
    acting(lambda context: torch.use_deterministic_algorithms(not torch.are_deterministic_algorithms_enabled())),
    acting(lambda context: warnings.simplefilter("ignore")), acting(_patch), acting(_swap))
Hooks, SwitchesOff, Bakes, Trains = map(acting, (_hook, _switch_off, _bake, _train))
ChangesTeacher, ChangesOriginal, Writes, Saves = map(acting, (_teacher, _full_precision, _write, _save))

GLOBAL, LEFT = "test_nothing_global_is_changed", "test_the_model_is_left_as_others_need_it"
HARMED = "test_the_full_precision_model_and_the_teacher_are_unchanged"
ODD = "test_it_takes_one_sample_and_odd_numbers_of_tokens"
BITS = "test_the_bits_that_it_declares_work_and_others_are_refused"


def fault(method: str, law: str, says: str, **attributes: Any) -> Fault:
    return Fault(method, law, says, {"factory": f"faulty.methods:{method}"}, attributes)


METHOD = Kind(
    MethodSpec(name="planted", summary="sound", factory="faulty.methods:Sound", quantizes="all", options=NoOptions,
               ablations={"none": {}}),
    (*FAULTS,
     fault("ActivationsOnly", "test_it_quantizes_weights_and_activations", "no weight"),
     fault("WeightsOnly", "test_it_quantizes_weights_and_activations", "no activation"),
     fault("MakesNan", "test_outputs_are_finite_and_have_changed", "NaN"),
     fault("Idle", "test_outputs_are_finite_and_have_changed", "full precision"),
     fault("MoreValuesInWeights", "test_weights_take_at_most_two_to_the_bits_values_a_slot", "values"),
     fault("MoreValuesInActivations", "test_activations_take_at_most_two_to_the_bits_values_a_slot", "values"),
     fault("HalvesThem", "test_static_quantizers_are_idempotent", "not idempotent"),
     fault("Unseeded", "test_the_same_seed_gives_the_same_model", "differ"),
     fault("WorseWithBits", "test_more_bits_are_not_much_worse", "diverges"),
     fault("NoGradient", "test_its_quantizers_have_the_declared_gradients", "the gradient is 0, not 1"),
     fault("Describes", "test_descriptions_are_well_formed", "dynamic, granularity, groups, quantizer"),
     fault("HidesState", "test_its_state_goes_through_a_safetensors_file", "answers otherwise"),
     fault("RemembersSizes", ODD, "shape"),
     fault("FailsForOneToken", ODD, "1 samples of 1 tokens give NaN"),
     fault("LosesSamples", ODD, "3 samples of 9 tokens give (1, 5)"),
     fault("OtherThere", "test_it_runs_in_double_precision", "in double precision answers otherwise"),
     fault("InSinglePrecision", "test_it_runs_in_double_precision", "should be the same"),
     fault("OtherDevice", "test_it_gives_nearly_the_same_on_every_device", "on cpu:0"),
     fault("FailsAtTwoBits", BITS, "ZeroDivisionError"), fault("NanAtTwoBits", BITS, "at 2/2 the outputs have NaN"),
     Fault("bits without an end", BITS, "1/2 is not refused", {"weight_bits": Generous()}),
     Fault("bits the wrong way round", BITS, "no range", {"weight_bits": BitRange(8, 2)}),
     Fault("an ablation that does not exist", "test_its_ablations_and_task_options_are_valid", "unknown option",
           {"ablations": {"deep": {"depth": 3}}}),
     fault("AddsAProduct", "test_every_product_has_a_quantizer_or_is_listed", "outside of every site"),
     fault("SeedsTorch", GLOBAL, "torch's random state"), fault("DrawsFromTorch", GLOBAL, "torch's random state"),
     fault("DrawsFromNumpy", GLOBAL, "numpy's random state"), fault("DrawsFromPython", GLOBAL, "Python's random state"),
     fault("SetsThreads", GLOBAL, "number of threads"), fault("SetsType", GLOBAL, "torch's default type"),
     fault("SetsVariable", GLOBAL, "the environment variable FAULTY was None and is 1"),
     fault("Moves", GLOBAL, "the working folder"), fault("Deterministic", GLOBAL, "deterministic mode"),
     fault("Silences", GLOBAL, "hide all warnings"),
     fault("Patches", GLOBAL, "torch.nn.functional.gelu was replaced"),
     fault("Swaps", GLOBAL, "torch.nn.functional.gelu was replaced"),
     fault("Hooks", LEFT, "a hook on model.head"), fault("Trains", LEFT, "in training mode"),
     fault("SwitchesOff", LEFT, "the quantizer of head.input switched off"),
     fault("Bakes", LEFT, "the weight of head baked"),
     fault("ChangesTeacher", HARMED, "of the teacher was changed"),
     fault("ChangesOriginal", HARMED, "of the full-precision model was changed"),
     fault("Writes", "test_nothing_is_written_outside_of_its_folders", "(harness-faulty 1.2) was about to write"),
     fault("Saves", "test_nothing_is_written_outside_of_its_folders", "ranges.pt was left"),
     ))
