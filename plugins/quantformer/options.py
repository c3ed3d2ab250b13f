"""Options of Quantformer: every switch of its ablations, and the readings of what the paper leaves open."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, LossOptions, Options, TrainedOptions, TrainingOptions

Wave = Literal["auto", "half", "full"]
Objective = Literal["entropy_ratio", "exp", "other_entropy", "const", "random", "off"]
Norm = Literal["row_sum", "l2_flat"]
Reduction = Literal["mean", "row_mean", "sum"]


class ThresholdOptions(Options):
    """Options of the quantizer ``quantformer_weight``."""

    entropy_below: int = Field(5, ge=1, description="bit-widths below this clip at the threshold of least "
                               "divergence, others at the largest magnitude")


class CentreOptions(Options):
    """Options of the quantizer ``quantformer_centre``."""

    largest: float = Field(8.0, gt=0, description="the half-width starts at the largest magnitude, but at most here")
    compat_code_step: bool = Field(False, description="the step of the official code, half as wide: one bit more")


class GroupsOptions(Options):
    """Options of the quantizer ``quantformer_groups``."""

    groups: int = Field(1, ge=0, description="groups of channels with a range each, from equal bins of the channels' "
                        "ranges; 0: a range for each channel")
    wave: Wave = Field("auto", description="half: only positive levels; full: both signs; auto: half for the input of "
                       "a block's second fully connected layer (after GELU)")
    percent: float = Field(99.99, gt=0, le=100, description="a channel's range starts at this percentile of the "
                           "magnitudes")
    largest: float = Field(6.0, gt=0, description="but at most here")
    compat_code_step: bool = Field(False, description="the full wave's step as in the official code, half as wide: "
                                   "one bit more")


class RankConsistencyOptions(LossOptions):
    """Options of the loss ``src``."""

    weight: float = Field(20.0, ge=0, description="factor of this term in the sum of all losses")
    p: Objective = Field("entropy_ratio", description="exponent of the teacher's attention: its entropy over the "
                         "student's, Eq. (8); e to that power; the inverse ratio; k; a random number in every "
                         "step; or no loss at all")
    k: float = Field(2.0, gt=0, description="exponent for p=const")
    norm: Norm = Field("row_sum", description="rows sum to one, Eq. (7); or whole maps of unit length, as in the code")
    reduction: Reduction = Field("mean", description="squares within a layer: mean over elements; sum of each row, "
                                 "mean over rows; or their sum. Layers add up")


class FirstTraining(TrainingOptions):
    """The first stage: one range a layer."""

    epochs: float = Field(120, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(256, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
    final_learning_rate: float = Field(1e-6, ge=0, description="learning rate at the end of the schedule")


class SearchTraining(FirstTraining):
    """The second stage: the search of the assignment."""

    epochs: float = Field(1, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(32, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(2e-6, gt=0, description="peak learning rate")


class FinetuneTraining(FirstTraining):
    """The third stage: the found groups."""

    epochs: float = Field(5, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(128, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(5e-6, gt=0, description="peak learning rate")


class QuantformerOptions(TrainedOptions):
    """Options of the method ``quantformer``."""

    weights: Choice = Field(Choice(name="quantformer_weight"), description="quantizer of the weights")
    activations: Choice = Field(Choice(name="quantformer_groups"), description="quantizer of the inputs of layers")
    attention: Choice = Field(Choice(name="quantformer_centre"), description="quantizer of query, key, value and "
                              "attention map")
    attention_bits: int | None = Field(8, ge=2, le=32, description="bits of query, key, value and attention map; none: "
                                       "the run's, as for Swin in the code")
    other_bits: int | None = Field(8, ge=2, le=32, description="bits of weight and input of all layers but the linear "
                                   "ones of blocks: patch embedding, patch merging, classifier, convolutions; none: "
                                   "stem_bits, head_bits and the run's")
    granularity: Literal["layer", "group", "channel"] = Field(
        "group", description="ranges of the inputs of the linear layers of blocks: one a layer, one a group of "
        "channels, or one a channel")
    groups: int = Field(8, ge=2, description="number of groups G; the paper's runs also have 2")
    assign: Literal["search", "static_bins"] = Field(
        "search", description="channels go to the group of their largest trained share, or of the equal bin of their "
        "range")
    assign_final: Literal["hard", "soft"] = Field(
        "hard", description="after the search: one group a channel, or the mixture of all groups as in the code")
    compat_code_step: bool = Field(False, description="full-wave steps as in the official code, half as wide: one bit "
                                   "more than asked for")
    search: Choice = Field(Choice(name="learned_scale", options={"images": 32}), description="search that sets the "
                           "ranges before training")
    regroup_images: int = Field(32, ge=1, description="calibration pictures that the ranges of channels are taken from "
                                "after the first stage, in one forward")
    first_losses: tuple[Choice, ...] = Field((Choice(name="task"),), description="terms of the objective of the first "
                                             "stage")
    losses: tuple[Choice, ...] = Field((Choice(name="task"), Choice(name="src")), description="terms of the objective "
                                       "of the other stages; [task,hinge] is the paper's comparison")
    assignment_entropy: float = Field(0.025, ge=0, description="factor of the assignment's entropy during the search")
    assignment_learning_rate: float = Field(1e-4, gt=0, description="peak learning rate of the assignment")
    decay_ranges: bool = Field(True, description="weight decay pulls at learned ranges too, as in the code")
    training: FirstTraining = Field(FirstTraining(), description="optimizer, schedule, teacher of the first stage")
    searching: SearchTraining = Field(SearchTraining(), description="the same of the search stage")
    finetuning: FinetuneTraining = Field(FinetuneTraining(), description="the same of the last stage")
    sard_images: int = Field(4, ge=0, description="calibration pictures on which the rank difference of attention to "
                             "the teacher is noted after training; 0: it is not")
