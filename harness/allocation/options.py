"""Options that searches of mixed precision share. Light: no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ..options import Choice, Options
from ..training.options import TrainingOptions


class AllocationOptions(Options):
    """Options of every search of mixed precision."""

    candidates: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (), description="bit-widths to choose from; none: two below to two above the run's")
    budget: float = Field(1.0, gt=0, description="largest cost, relative to that of the model at the run's bits")

    @field_validator("candidates")
    @classmethod
    def _sorted_choice(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        chosen = tuple(sorted(set(value)))
        if len(chosen) == 1:
            raise ValueError("one bit-width leaves nothing to choose")
        return chosen


class SupernetOptions(AllocationOptions):
    """Options of a search that trains mixtures of bit-widths."""

    share: float = Field(1.0, gt=0, description="share of the run's budget that the search trains for, on top of the "
                         "method's own training")
    bits_learning_rate: float = Field(1e-2, gt=0, description="peak learning rate of what decides the bits")
    weights: Literal["trained", "frozen"] = Field(
        "trained", description="whether the model's own parameters are trained beside; frozen suits methods that do "
        "not train")
    losses: tuple[Choice, ...] = Field((Choice(name="task"),), description="terms of the objective, to which the "
                                       "search adds its own")
    training: TrainingOptions = Field(TrainingOptions(), description="optimizer and schedule")
