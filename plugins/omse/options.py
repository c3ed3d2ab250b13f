"""Options of OMSE."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness import Choice, Options, PlacementOptions


class OmseOptions(Options):
    """Options of the search ``omse``."""

    candidates: int = Field(90, ge=1, description="number of ranges tried in each slot")
    step: float = Field(0.01, gt=0, le=1, description="each candidate shrinks the full range by this much more")
    weights: Literal["omse", "minmax"] = Field("omse", description="ranges of the weights: least squared error, "
                                                                   "or their extremes")
    bins: int = Field(4096, ge=256, description="bins of the histogram that stands for a site's activations")

    @model_validator(mode="after")
    def _stays_positive(self) -> OmseOptions:
        if (self.candidates - 1) * self.step >= 1:
            raise ValueError("the last candidate, 1 - (candidates - 1) * step, must be above 0")
        return self


class OmseMethodOptions(PlacementOptions):
    """Options of the method ``omse``."""

    search: Choice = Field(Choice(name="omse"), description="search that sets the ranges")
