"""Options of placement: which quantizer on which kind of site, at which bits. Light: no torch."""

from __future__ import annotations

from pydantic import Field

from .options import Choice, Options


class PlacementOptions(Options):
    """Placement of quantizers, shared by every post-training recipe.

    A method subclasses it with its own defaults, its search and its switches.
    """

    weights: Choice = Field(
        Choice(name="uniform", options={"granularity": "channel", "scheme": "asymmetric"}),
        description="quantizer of the weights")
    activations: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "asymmetric"}),
        description="quantizer of the operands of linear layers, convolutions and attention products")
    stem_bits: int | None = Field(
        8, ge=2, le=32, description="bits of the input of the patch embedding (or first convolution); "
        "none: the run's. Its weights use the run's bits")
    head_bits: int | None = Field(
        None, ge=2, le=32, description="bits of the classifier's weight and input; none: the run's")
