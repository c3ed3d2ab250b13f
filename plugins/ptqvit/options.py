"""Options of VT-PTQ and its searches; the defaults are the paper's where it states one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from harness import ADDED_LATER, Bits, Choice, OptionError, Options, PlacementOptions, TaskSpec


class RankingOptions(Options):
    """The ranking loss of the attention scores (eq. 10)."""

    enabled: bool = Field(True, description="add the ranking loss to the objective of attention scores")
    gamma: float = Field(0.1, ge=0, description="weight of the ranking loss against the similarity")
    theta: float = Field(0.2, ge=0, description="margin of the hinge")
    on: Literal["scores", "softmax"] = Field("scores", description="rank scaled scores before the softmax, or after")
    reduction: Literal["mean", "sum"] = Field(
        "mean", description="over the pairs of a map: mean, the scale at which gamma matters, or the paper's sum")
    rows: int = Field(128, ge=0, description="rows of attention maps, drawn once a layer, that are ranked; 0: all")


class AlternatingOptions(Options):
    """Options of the search ``alternating``."""

    similarity: Literal["pearson", "cosine", "mse", "off"] = Field(
        "pearson", description="of a layer's full-precision and quantized outputs, pooled over the calibration set")
    ranking: RankingOptions = Field(
        RankingOptions.model_validate({}), description="ranking loss of attention scores")
    bias_correction: bool = Field(True, description="subtract the mean error of each output unit from its bias")
    alpha: float = Field(0.5, gt=0, description="smallest candidate, relative to the interval of the full range")
    beta: float = Field(1.2, gt=0, description="largest candidate, relative to the interval of the full range")
    candidates: int = Field(100, ge=1, description="number of candidates, evenly spaced")
    iterations: int = Field(20, ge=1, description="most rounds of weight search, input search, bias correction")
    tolerance: float = Field(1e-6, ge=0, description="a round that gains no more than this is the last")
    race: float = Field(
        6.0, ge=0, description="drop a candidate, in a large calibration set, once it is this many standard errors "
        "worse than the leader; 0: measure every candidate on everything")
    order: Literal["parallel", "block", "sequential"] = Field(
        "block", description="inputs are captured with nothing, the earlier blocks, or every earlier operation "
        "quantized")
    rows: int = Field(
        256, ge=0, json_schema_extra=ADDED_LATER, description="most rows (tokens, output positions, queries) that an "
        "operation may have in a picture for everything to be kept; with more, as in a detector, the search works on "
        "a random sample; fewer where they are wider than 4096; 0: keep everything")
    sampled_rows: int = Field(
        1024, ge=1, json_schema_extra=ADDED_LATER, description="rows of each operation in such a sample, in equal "
        "shares from all pictures, so that the search takes the same time however many there are")
    sampled_order: Literal["parallel", "block", "sequential"] = Field(
        "parallel", json_schema_extra=ADDED_LATER, description="the order where there is a sample: there passes over "
        "the pictures cost more than the search")

    @model_validator(mode="after")
    def _ordered(self) -> AlternatingOptions:
        if self.alpha > self.beta:
            raise ValueError("alpha must not be larger than beta")
        return self


class AllocationOptions(Options):
    """What the two bit searches share."""

    candidates: tuple[int, ...] = Field(
        (), description="bit-widths to choose from; none: two below to two above the run's, as in the paper")
    images: int = Field(32, ge=1, description="calibration images that the sensitivity is measured on")


class NuclearOptions(AllocationOptions):
    """Options of the search ``nuclear``."""

    attention: Literal["scores", "softmax"] = Field(
        "scores", description="what the attention map of eq. 17 is: eq. 3's product of queries and keys, or after "
        "the softmax")


class HessianOptions(AllocationOptions):
    """Options of the search ``hessian``."""

    probes: int = Field(50, ge=1, description="Rademacher vectors a batch in Hutchinson's estimate of the trace")


class PtqVitOptions(PlacementOptions):
    """Options of the method ``ptqvit``."""

    weights: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"}),
        description="quantizer of the weights")
    activations: Choice = Field(
        Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"}),
        description="quantizer of the operands of linear layers, convolutions and attention products")
    stem_bits: int | None = Field(
        None, ge=2, le=32, description="bits of the input of the patch embedding (or first convolution); "
        "none: the run's, as in the paper")
    quantize_head: bool = Field(
        True, description="quantize the classifier too (the paper lists its input, but not its weight)")
    search: Choice = Field(Choice(name="alternating"), description="search that sets the intervals")
    mixed_precision: Literal["off", "nuclear", "hessian"] = Field(
        "off", description="search that gives each attention and each MLP module its bits, before the intervals")
    allocation: dict[str, Any] = Field(default_factory=dict, description="options of that search")


def one_search_of_bits(options: PtqVitOptions, task: TaskSpec, bits: Bits) -> None:
    """Raises :class:`harness.OptionError` where two searches would choose the bits."""
    if options.mixed is not None and options.mixed_precision != "off":
        raise OptionError(f"ptqvit's bits cannot come from mixed={options.mixed.name} and from "
                          f"mixed_precision={options.mixed_precision} at once", "Give one of the two")
