"""Options of FracBits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness import SupernetOptions, TrainingOptions


class FracBitsTraining(TrainingOptions):
    """How the real bits are trained."""

    epochs: float = Field(120, gt=0, description="epochs before the bits are hardened (budget 'paper')")


class FracBitsOptions(SupernetOptions):
    """Options of the search ``fracbits``."""

    candidates: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (2, 3, 4, 5, 6, 7, 8), description="bit-widths to choose from; none: two below to two above the run's")
    share: float = Field(0.8, gt=0, description="share of the run's budget that the real bits are trained for, on top "
                         "of the method's own training")
    bits_learning_rate: float = Field(5e-2, gt=0, description="peak learning rate of the real bits")
    start: float = Field(0.5, description="bits at first, above the run's")
    kappa: float = Field(1.0, ge=0, description="weight of the cost's distance from the budget, relative to the budget")
    training: FracBitsTraining = Field(FracBitsTraining(), description="optimizer and schedule")
