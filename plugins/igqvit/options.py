"""Options of IGQ-ViT: every switch that the paper ablates, and the readings of what it leaves open."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import ADDED_LATER, Choice, Options, PlacementOptions

Axis = Literal["channels", "rows"]
Distance = Literal["l2_minmax", "l1_minmax", "range_only"]
Lower = Literal["learned", "zero"]

DEFAULT_GROUPS = 8
GROUPS_SET = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24)


class InstanceGroupsOptions(Options):
    """Options of the quantizer ``instance_groups``."""

    axis: Axis = Field("channels", description="what is grouped: the channels of an activation, or the rows of "
                       "a softmax attention (one row = one head x query token)")
    g: int = Field(DEFAULT_GROUPS, ge=1, description="number of groups (the paper calls it the group size)")
    distance: Distance = Field("l2_minmax", description="how (max, min) is compared with a group's bounds, Eq. (4)")
    lower: Lower = Field("learned", description="lower bounds: learned, or fixed to 0 (softmax attentions)")


class InstanceMinMaxOptions(Options):
    """Options of the quantizer ``instance_minmax``."""

    axis: Axis = Field("channels", description="one range for each channel, or for each row, of every instance")


class GroupSearchOptions(Options):
    """Options of the search ``instance_groups``: Algorithm 1 and the allocation of groups."""

    iterations: int = Field(300, ge=0, description="N_iter of Algorithm 1: calibration images drawn")
    allocate_every: int = Field(75, ge=1, description="T of Algorithm 1: iterations between allocations; the "
                                "statistics of the quantized model are refreshed as often")
    alloc: Literal["ilp", "uniform", "greedy"] = Field(
        "ilp", description="number of groups of each layer: Eq. (10) solved exactly; the same for all; or Eq. (10) "
        "solved greedily")
    groups_set: tuple[int, ...] = Field(GROUPS_SET, min_length=1, description="numbers of groups to choose from")
    metric: Literal["kl", "mse"] = Field("kl", description="perturbation of the predictions, Eq. (9)")
    others: Literal["quantized", "fp"] = Field(
        "quantized", description="the other layers while one layer is toggled for Eq. (9)")
    images: int | None = Field(None, ge=1, description="calibration images for Eq. (9); none: all of them, in "
                               "detection one, as in the paper")
    group_range: Literal["centre", "members"] | None = Field(
        None, json_schema_extra=ADDED_LATER, description="what a group's scale covers: its centre's (max, min), as "
        "Eqs. (2) and (6) read, or the extremes of all its members; none: the centre, in detection the members")
    points: int = Field(4096, ge=16, description="at most so many channels or rows of one image and layer are "
                        "kept (a seeded draw); only windowed attention and long sequences have more")


class IgqOptions(PlacementOptions):
    """Options of the method ``igqvit``."""

    channels: Literal["dynamic", "static_consecutive", "layer", "per_channel"] = Field(
        "dynamic", description="inputs of linear layers: instance-aware groups; fixed groups of consecutive "
        "channels; one range; a range for each channel of each instance (upper bound)")
    rows: Literal["dynamic", "layer", "per_row"] = Field(
        "dynamic", description="softmax attentions: instance-aware groups of rows; one range; a range for each "
        "row of each instance (upper bound)")
    single_token: Literal["layer", "groups"] = Field(
        "layer", description="inputs with one token an instance (pooled features, regions of a detector), where a "
        "channel's maximum is its minimum: one range, or groups as elsewhere")
    g: int = Field(DEFAULT_GROUPS, ge=1, description="number of groups, and average number after allocation")
    distance: Distance = Field("l2_minmax", description="how (max, min) is compared with a group's bounds, Eq. (4)")
    softmax_lower: Lower = Field("zero", description="lower bounds of the groups of attention rows")
    eps: float | None = Field(None, ge=0, description="weights are clipped at their eps-th and (100-eps)-th "
                              "percentiles; none: the paper's value for the bit-width")
    eps_unit: Literal["percent", "fraction"] = Field("percent", description="unit of eps")
    head_stem_bits: int | None = Field(
        None, ge=2, le=32, description="bits of weight and input of the patch embedding and the classifier; "
        "none: stem_bits, head_bits and the run's")
    static_range: Literal["minmax", "mse"] = Field(
        "minmax", description="ranges of the static activations (query, key, value, convolutions)")
    search: Choice = Field(Choice(name="instance_groups"), description="sets the groups' bounds and numbers")
