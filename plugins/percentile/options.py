"""Options of the percentile ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness import Choice, Options, PlacementOptions


class PercentileOptions(Options):
    """Options of the search ``percentile``."""

    pct: Annotated[float, Field(ge=50, le=100)] | Literal["mse"] = Field(
        99.999, description="percentile of the upper end (100 - pct: of the lower end); mse: for each slot "
                            "the one of candidates with the least squared error")
    candidates: tuple[Annotated[float, Field(ge=50, le=100)], ...] = Field(
        (99.9, 99.99, 99.999), min_length=1, description="percentiles that pct=mse chooses from")
    rate: float = Field(0.01, gt=0, le=1, description="weight of each new batch in the average over batches")
    weights: Literal["minmax", "percentile"] = Field(
        "minmax", description="ranges of the weights: their extremes, or percentiles too")
    bins: int = Field(4096, ge=256, description="bins of the histogram on which pct=mse measures activations")


class PercentileMethodOptions(PlacementOptions):
    """Options of the method ``percentile``."""

    search: Choice = Field(Choice(name="percentile"), description="search that sets the ranges")
