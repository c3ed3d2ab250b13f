"""Options of OCS. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness import Choice, Options, PlacementOptions, TrainedOptions, TrainingOptions

Clip = Literal["mse", "aciq", "kl"]
Split = Literal["naive", "qa"]
Rank = Literal["count", "excess"]

_SYMMETRIC = Choice(name="uniform", options={"scheme": "symmetric"})
_CLIP = ("threshold: least squared error on a histogram, ACIQ (Gauss or Laplace), or least KL divergence; none: the "
         "largest value times the clip ratio")


class SplittingOptions(Options):
    """Options of the search ``ocs``: which channels are split and how, and where the ranges end."""

    target: Literal["weight", "activation"] | None = Field(
        "weight", description="what is halved in a split channel: its weights, its activation; none: nothing is split")
    expand_ratio: float = Field(0.02, ge=0, le=1, description="r: splits for each input channel of a layer, "
                                "ceil(r x channels); 0: none")
    split: Split = Field("qa", description="halves of a weight: equal ones, or a quarter of a step apart "
                         "(quantization-aware), which adds no rounding error")
    partial_threshold: float = Field(0.0, ge=0, lt=1, description="tau: weights up to this share of their channel's "
                                     "largest stay whole; 0: all are split")
    activation_split: Split = Field("naive", description="halves of an activation, as split has it for weights")
    channels: Literal["static", "oracle"] = Field(
        "static", description="activation channels to split: chosen on calibration data, or the largest of every batch")
    percentile: float = Field(99.0, gt=0, lt=100, description="of a layer's absolute activations: values above it are "
                              "outliers (channels=static)")
    rank: Rank = Field("count", description="which channels have most of the outliers: by their number, or by "
                       "how far they exceed the percentile in sum (channels=static)")
    weight_clip: Clip | None = Field(None, description=f"weights' {_CLIP}")
    activation_clip: Clip | None = Field(None, description=f"layer inputs' {_CLIP}")
    attention_clip: Clip | None = Field(None, description="the same for operands of attention products; none: the "
                                        "largest value")
    weight_clip_ratio: float = Field(1.0, gt=0, le=1, description="threshold over largest weight (weight_clip=none)")
    activation_clip_ratio: float = Field(1.0, gt=0, le=1, description="threshold over largest layer input "
                                         "(activation_clip=none)")

    @model_validator(mode="after")
    def _ratio_is_used(self) -> SplittingOptions:
        if any(ratio != 1 and clip is not None for ratio, clip in (
                (self.weight_clip_ratio, self.weight_clip), (self.activation_clip_ratio, self.activation_clip))):
            raise ValueError("a clip ratio belongs to clip=none; the other clips find the threshold themselves")
        return self


class OcsOptions(PlacementOptions):
    """Options of the method ``ocs``."""

    weights: Choice = Field(_SYMMETRIC, description="quantizer of the weights; one step for a tensor, no zero point")
    activations: Choice = Field(_SYMMETRIC, description="quantizer of the operands of linear layers, convolutions and "
                                "attention products; one step for a tensor, no zero point")
    stem_bits: int | None = Field(32, ge=2, le=32, description="bits of weight and input of the first layer, which is "
                                  "never split; 32: not quantized; none: the run's")
    attention_bits: int | None = Field(None, ge=2, le=32, description="bits of the operands of attention products; "
                                       "none: the run's")
    search: Choice = Field(Choice(name="ocs"), description="search that splits channels and sets thresholds")


class OcsTraining(TrainingOptions):
    """Quantformer's schedule for layer-wise quantization-aware training (stage 1 of its code)."""

    epochs: float = Field(120, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(256, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
    final_learning_rate: float = Field(1e-6, ge=0, description="learning rate at the end of the schedule")


class OcsQatOptions(TrainedOptions):
    """Options of the method ``ocs_qat``."""

    weights: Choice = Field(_SYMMETRIC, description="quantizer of the weights; one step for a tensor, no zero point")
    activations: Choice = Field(Choice(name="learned"), description="quantizer of the operands of linear layers, "
                                "convolutions and attention products; one step for a tensor, no zero point")
    stem_bits: int | None = Field(8, ge=2, le=32, description="bits of weight and input of the first layer, which is "
                                  "never split; none: the run's")
    head_bits: int | None = Field(8, ge=2, le=32, description="bits of the classifier's weight and input; none: the "
                                  "run's")
    attention_bits: int | None = Field(8, ge=2, le=32, description="bits of the operands of attention products; "
                                       "none: the run's")
    search: Choice = Field(Choice(name="ocs", options={"weight_clip": "mse", "activation_clip": "mse"}),
                           description="search that splits channels and sets thresholds")
    training: TrainingOptions = Field(OcsTraining(), description="optimizer, schedule, teacher")
