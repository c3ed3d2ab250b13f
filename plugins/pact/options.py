"""Options of PACT and of its quantizers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, Options, RoleOptions, TrainingOptions


class ClipOptions(Options):
    """Options of the quantizer ``pact``."""

    scheme: Literal["symmetric", "unsigned"] = Field(
        "symmetric", description="symmetric: clip(x, -alpha, alpha), for signed data; unsigned: clip(x, 0, alpha)")
    largest_start: float = Field(6.0, gt=0, description="alpha starts at most here, however large the data are")


class BinOptions(Options):
    """Options of the quantizers ``dorefa`` and ``sawb``, which have none."""


class PactTraining(TrainingOptions):
    """The schedule of Quantformer's uniform training (official code), whose paper prints the PACT rows."""

    epochs: float = Field(120, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(256, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
    final_learning_rate: float = Field(1e-6, ge=0, description="learning rate at the end of the schedule")


class PactOptions(RoleOptions):
    """Options of the method ``pact``."""

    weights: Choice = Field(Choice(name="sawb"), description="quantizer of the weights")
    activations: Choice = Field(Choice(name="pact"), description="quantizer of all other operands of linear layers, "
                                "convolutions and attention products")
    attention: Choice = Field(Choice(name="pact", options={"scheme": "unsigned"}),
                              description="quantizer of the attention maps, which are never negative")
    hidden: Choice = Field(Choice(name="pact", options={"scheme": "unsigned"}), description="quantizer of the input "
                           "of an MLP's second layer, after its GELU or ReLU")
    search: Choice = Field(Choice(name="learned_scale", options={"activations": "minmax"}),
                           description="search that sets the clipping levels before training")
    clip_decay: float = Field(1e-4, ge=0, description="weight decay of the clipping levels")
    training: PactTraining = Field(PactTraining(), description="optimizer, schedule, teacher")
