"""Options of placement: which quantizer on which kind of site, at which bits. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .options import ADDED_LATER, Choice, Options


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
    embeddings: Choice | None = Field(
        None, json_schema_extra=ADDED_LATER,
        description="quantizer of a language model's word embeddings, whose channels are words; none: that of the "
        "weights")
    stem_bits: int | None = Field(
        8, ge=2, le=32, description="bits of the input of the patch embedding (or first convolution); "
        "none: the run's. Its weights use the run's bits")
    scope: Literal["all", "no_head", "backbone"] = Field(
        "all", json_schema_extra=ADDED_LATER,
        description="what is quantized: all layers, all but those that give the predictions (role head), or the "
        "backbone of a detector (of a model without a part of that name: all but its head)")
    mixed: Choice | None = Field(
        None, json_schema_extra=ADDED_LATER,
        description="search that chooses the bits of each layer around the run's (haq, edmips, hawq, fracbits); "
        "none: all have the run's")
    head_bits: int | None = Field(
        None, ge=2, le=32, description="bits of the classifier's weight and input; none: the run's")
