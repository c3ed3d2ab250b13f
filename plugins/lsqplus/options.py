"""Options of LSQ+."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, RoleOptions, TrainingOptions


class LsqPlusTraining(TrainingOptions):
    """The schedule of Q-ViT's LSQ+ baseline (official code)."""

    epochs: float = Field(300, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    mode: Literal["train", "eval"] = Field("eval", description="mode of dropout and drop-path while training")


class LsqPlusOptions(RoleOptions):
    """Options of the method ``lsqplus``."""

    hidden: Choice = Field(Choice(name="learned", options={"scheme": "unsigned", "offset": True}),
                           description="quantizer of the input of an MLP's second layer, after its GELU or ReLU")
    training: LsqPlusTraining = Field(LsqPlusTraining(), description="optimizer, schedule, teacher")
