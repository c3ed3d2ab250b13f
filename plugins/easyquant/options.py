"""Options of EasyQuant."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness import Choice, Options, PlacementOptions


class EasyQuantOptions(Options):
    """Options of the search ``easyquant``."""

    alpha: float = Field(0.5, gt=0, description="smallest candidate, as a multiple of the full-range scale")
    beta: float = Field(1.2, gt=0, description="largest candidate, as a multiple of the full-range scale")
    candidates: int = Field(100, ge=1, description="number of candidates, evenly spaced; the full-range scale "
                                                   "itself is one more")
    rounds: int = Field(2, ge=1, description="most alternations between the two operands of a layer; ends "
                                             "earlier when no scale changes")
    order: Literal["sequential", "parallel"] = Field(
        "sequential", description="sequential: a layer is fitted with the inputs that the layers before it, "
                                  "already quantized, give it; parallel: with full-precision inputs")
    rows: int = Field(2048, ge=1, description="rows of each layer's input (tokens, output positions) that "
                                              "the similarity is measured on, drawn at random")

    @model_validator(mode="after")
    def _ordered(self) -> EasyQuantOptions:
        if self.alpha > self.beta:
            raise ValueError("alpha must not be above beta")
        return self


class EasyQuantMethodOptions(PlacementOptions):
    """Options of the method ``easyquant``."""

    weights: Choice = Field(
        Choice(name="uniform", options={"granularity": "channel", "scheme": "symmetric"}),
        description="quantizer of the weights")
    activations: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"}),
        description="quantizer of the operands of linear layers, convolutions and attention products")
    search: Choice = Field(Choice(name="easyquant"), description="search that sets the scales")
