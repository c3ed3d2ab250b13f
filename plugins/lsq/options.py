"""Options of LSQ."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, RoleOptions, TrainingOptions


class LsqTraining(TrainingOptions):
    """The schedule of Q-ViT's uniform runs (official code), which are the learned-scale baseline of that paper."""

    epochs: float = Field(300, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    mode: Literal["train", "eval"] = Field("eval", description="mode of dropout and drop-path while training")


class LsqOptions(RoleOptions):
    """Options of the method ``lsq``."""

    hidden: Choice = Field(Choice(name="learned", options={"scheme": "unsigned"}), description="quantizer of the input "
                           "of an MLP's second layer, after its GELU or ReLU")
    search: Choice = Field(Choice(name="learned_scale", options={"weights": "lsq", "activations": "lsq"}),
                           description="search that sets the scales before training")
    training: LsqTraining = Field(LsqTraining(), description="optimizer, schedule, teacher")
