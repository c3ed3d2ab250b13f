"""Options of losses and of training. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..options import Choice, Options
from ..placement import PlacementOptions


class LossOptions(Options):
    """Options that every loss has."""

    weight: float = Field(1.0, ge=0, description="factor of this term in the sum of all losses")


class TrainingOptions(Options):
    """How a method trains. A method subclasses it with its paper's values.

    ``epochs`` counts for the budget ``paper`` only.
    """

    epochs: float = Field(100, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(512, ge=1, description="pictures a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(5e-4, gt=0, description="peak learning rate")
    final_learning_rate: float = Field(0.0, ge=0, description="learning rate at the end of the schedule")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the steps with a linearly rising learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="fall of the learning rate")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="optimizer; sgd with momentum 0.9")
    weight_decay: float = Field(0.05, ge=0, description="of weight matrices; not of biases, norms and quantizers")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient; none: not clipped")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="precision of products while training")
    mode: Literal["train", "eval"] = Field("train", description="mode of dropout and drop-path while training")
    teacher: str | None = Field(None, description="model that distillation learns from; none: the same model in "
                                "full precision. Its weights are found as those of --model are")
    crops: int = Field(1, ge=1, description="views of the same sample in one step")
    crop_bank: int | None = Field(None, ge=1, description="draw views from so many fixed ones of each sample; none: "
                                  "every view is new")


class TrainedOptions(PlacementOptions):
    """Options of a method that trains: placement, the search that starts it, losses and training."""

    search: Choice = Field(Choice(name="learned_scale"), description="search that sets the scales before training")
    losses: tuple[Choice, ...] = Field((Choice(name="task"),), description="terms of the training objective, such as "
                                       "[kd,kure]; task is the model's own loss on labels")
    training: TrainingOptions = Field(TrainingOptions(), description="optimizer, schedule, teacher")
