"""Every method's quantizers can be trained with every loss: two steps on the tiny transformer."""

from __future__ import annotations

import copy
import math
from functools import cache

import pytest
import torch

from harness import Bits, Choice, Context, Stage, TrainingOptions
from harness.options import resolve
from harness.registry import registry
from harness.results.record import FULL_PRECISION
from harness.testing.toy import toy_context

METHODS = [name for name in registry().methods if name != FULL_PRECISION]
LOSSES = list(registry().losses)
#: The first that a method can do.
EACH_BITS = (Bits(3, 3), Bits(4, 4), Bits(1, 1))
#: Losses that look at the parameters themselves, not at what becomes of them.
WEIGHT_LOSSES = ("kure", "obr")


@cache
def calibrated(name: str) -> Context:
    spec = registry().methods[name]
    method = registry().component(spec)(resolve(spec.options, {}, f"method {name}"))
    context = toy_context(next(bits for bits in EACH_BITS if bits.weights in spec.weight_bits), method=method)
    method.place(context)
    method.calibrate(context)
    return context


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", METHODS)
def test_two_steps(name: str, loss: str) -> None:
    known = calibrated(name)
    context = toy_context(known.bits)
    context.model = copy.deepcopy(known.model)
    # On its own a regulariser may have no gradient (weights at bin centres); with the task's loss there always is one.
    training = TrainingOptions(batch_size=4, learning_rate=1e-3)
    context.train(Stage("pair", training, [Choice(name="task"), Choice(name=loss)] if loss != "task"
                        else [Choice(name="task")]))
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])
    before, after = known.model.state_dict(), context.model.state_dict()
    moved = [path for path, site in known.model.sites.items() if site.is_weight
             and not torch.equal(before[f"model.{site.operation}.weight"], after[f"model.{site.operation}.weight"])]
    # Bit-split's integers are fitted once: its weights are no function of the parameters any more.
    assert bool(moved) != (name == "bitsplit" and loss not in WEIGHT_LOSSES)
