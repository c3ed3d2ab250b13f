"""Options of Bit-Split and Stitching."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Bits, Choice, OptionError, Options, PlacementOptions, TaskSpec


class BitSplitOptions(Options):
    """Options of the search ``bitsplit``."""

    weights: Literal["fwa", "ofwa", "ofwa_rr"] = Field(
        "ofwa_rr", description="fwa: alternate rounding and scale; ofwa: then bit planes of least weight error; "
                               "ofwa_rr: then bit planes of least output error")
    compensate: bool = Field(True, description="ofwa_rr sees quantized inputs, so that the weights make up for "
                                               "the error of the activations")
    plane_epochs: int = Field(50, ge=1, description="most passes over the planes in ofwa")
    response_epochs: int = Field(100, ge=1, description="most passes over the planes in ofwa_rr")
    damping: float = Field(1.0, ge=0, description="weight error that ofwa_rr minimises beside the output error, in "
                                                  "units of the mean squared input; 0: none, as published")
    settled: float = Field(0.001, ge=0, lt=1, description="ofwa_rr ends when no more than this fraction of the bits "
                                                          "changed in a pass; 0: when none did")
    rows: int = Field(12000, ge=1, description="rows of each layer's input (tokens, output positions) in "
                                               "ofwa_rr, drawn at random")
    bins: int = Field(4096, ge=256, description="bins of the histogram that stands for a site's activations")


class BitSplitMethodOptions(PlacementOptions):
    """Options of the method ``bitsplit``."""

    weights: Choice = Field(
        Choice(name="uniform", options={"granularity": "channel", "scheme": "symmetric"}),
        description="quantizer of the weights; the search replaces it by one that holds its integers")
    activations: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"}),
        description="quantizer of the operands of linear layers, convolutions and attention products")
    attention: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "unsigned"}),
        description="quantizer of the attention map, which is never negative")
    stem_weight_bits: int | None = Field(
        8, ge=3, le=8, description="bits of the first layer's weight; none: the run's")
    head_bits: int | None = Field(8, ge=3, le=8, description="bits of the classifier's weight and input; "
                                                              "none: the run's")
    search: Choice = Field(Choice(name="bitsplit"), description="search that sets integers and scales")


def enough_planes(options: BitSplitOptions, task: TaskSpec, bits: Bits) -> None:
    """Raises :class:`harness.OptionError` for weights of bits that the search cannot split."""
    if not 3 <= bits.weights <= 8:
        raise OptionError(f"the search bitsplit needs 3 to 8 bits for weights, not {bits.weights}",
                          "Choose --bits in that range, or another search")
