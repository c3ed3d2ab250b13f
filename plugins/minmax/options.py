"""Options of min-max."""

from __future__ import annotations

from pydantic import Field

from harness import Choice, Options, PlacementOptions


class MinMaxOptions(Options):
    """Options of the search ``minmax``."""

    ema: bool = Field(False, description="average the bounds of the activations over batches instead of "
                                         "taking the extremes of all batches")
    rate: float = Field(0.01, gt=0, le=1, description="weight of each new batch in the average (with ema)")


class MinMaxMethodOptions(PlacementOptions):
    """Options of the method ``minmax``."""

    search: Choice = Field(Choice(name="minmax"), description="search that sets the ranges")
