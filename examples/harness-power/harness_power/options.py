"""What --set can change. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, LossOptions, Options, TrainedOptions, TrainingOptions


class PowerOptions(Options):
    """Options of the quantizer."""

    exponent: float = Field(1.5, ge=1, le=4, description="level k of n is (k / n)^exponent; 1: evenly spaced")
    granularity: Literal["tensor", "channel", "head"] = Field("tensor", description="which positions share a scale")


class PullOptions(LossOptions):
    """Options of the loss."""

    weight: float = Field(0.01, ge=0, description="factor of this term at the end of training")


class PowerMethodOptions(TrainedOptions):
    """Options of the method: those of every method that trains, with its own parts."""

    weights: Choice = Field(Choice(name="power", options={"granularity": "channel"}),
                            description="quantizer of the weights")
    activations: Choice = Field(Choice(name="power"), description="quantizer of the operands of linear layers, "
                                "convolutions and attention products")
    losses: tuple[Choice, ...] = Field((Choice(name="task"), Choice(name="pull")),
                                       description="terms of the training objective")
    head_bits: int | None = Field(8, ge=2, le=32, description="bits of the classifier's weight and input; none: the "
                                  "run's")
    training: TrainingOptions = Field(
        TrainingOptions(epochs=20, batch_size=64, learning_rate=1e-4, weight_decay=0.0),
        description="optimizer, schedule, teacher")
