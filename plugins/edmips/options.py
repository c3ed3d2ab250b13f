"""Options of EdMIPS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import SupernetOptions, TrainingOptions


class EdmipsTraining(TrainingOptions):
    """How the supernet is trained."""

    epochs: float = Field(50, gt=0, description="epochs of the supernet (budget 'paper')")
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate of the model's parameters")
    final_learning_rate: float = Field(1e-6, ge=0, description="learning rate at the end of the schedule; that of the "
                                       "logits falls in the same proportion")


class EdmipsOptions(SupernetOptions):
    """Options of the search ``edmips``."""

    share: float = Field(0.4, gt=0, description="share of the run's budget that the supernet is trained for, on top of "
                         "the method's own training")
    bits_learning_rate: float = Field(1e-5, gt=0, description="peak learning rate of the logits")
    start: float = Field(0.01, description="every logit at first")
    complexity: float = Field(0.4, ge=0, description="weight of the expected bit-operations, relative to those at the "
                              "run's bits")
    discretize: Literal["budget", "argmax"] = Field(
        "budget", description="the most probable bits within the budget, exactly; or of each site alone, which may "
        "exceed it")
    training: EdmipsTraining = Field(EdmipsTraining(), description="optimizer and schedule of the supernet")
