"""Options of methods that choose quantizers by what a tensor is. Light: no torch."""

from __future__ import annotations

from pydantic import Field

from ..options import Choice
from .options import TrainedOptions


class RoleOptions(TrainedOptions):
    """Placement by what a tensor is: a weight, an attention map, the inside of an MLP, or any other activation."""

    weights: Choice = Field(Choice(name="learned"), description="quantizer of the weights")
    activations: Choice = Field(Choice(name="learned"), description="quantizer of all other operands of linear "
                                "layers, convolutions and attention products")
    attention: Choice = Field(Choice(name="learned", options={"scheme": "unsigned"}),
                              description="quantizer of the attention maps, which are never negative")
    hidden: Choice = Field(Choice(name="learned"), description="quantizer of the input of an MLP's second layer, "
                           "after its GELU or ReLU")
    stem_bits: int | None = Field(8, ge=2, le=32, description="bits of weight and input of the patch embedding (or "
                                  "first convolution); none: the run's")
    head_bits: int | None = Field(8, ge=2, le=32, description="bits of the classifier's weight and input; none: the "
                                  "run's")
