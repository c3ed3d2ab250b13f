"""Options of HAQ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness import AllocationOptions, TrainingOptions


class HaqFinetuning(TrainingOptions):
    """How a trial is trained before its reward."""

    epochs: float = Field(1.0, gt=0, description="epochs before each reward (budget 'paper')")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("constant", description="fall of the learning rate")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("sgd", description="optimizer; sgd with momentum 0.9")
    weight_decay: float = Field(4e-5, ge=0, description="of weight matrices")


class HaqOptions(AllocationOptions):
    """Options of the search ``haq``."""

    candidates: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (2, 3, 4, 5, 6, 7, 8), description="bit-widths to choose from; none: two below to two above the run's")
    episodes: int = Field(600, ge=1, description="allocations tried; each places and calibrates the method anew")
    warmup: int = Field(20, ge=0, description="episodes with random actions, before the agent learns")
    finetune: float = Field(0.01, ge=0, description="share of the run's budget that trains a trial before its reward "
                            "(budget 'paper': finetuning.epochs); 0: none, which suits methods that do not train")
    finetuning: HaqFinetuning = Field(HaqFinetuning(), description="optimizer and schedule of that training")
    samples: int = Field(1000, ge=1, description="training samples whose accuracy is the reward")
    reward_scale: float = Field(0.1, gt=0, description="reward of one percent of accuracy above full precision")
    actor_hidden: int = Field(300, ge=1, description="width of the actor's two hidden layers")
    critic_hidden: int = Field(400, ge=1, description="width of the critic's two hidden layers")
    actor_learning_rate: float = Field(1e-4, gt=0, description="learning rate of the actor")
    critic_learning_rate: float = Field(1e-3, gt=0, description="learning rate of the critic")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="of actor and critic: adamw as in Quantformer, "
                                                "adam as in HAQ")
    batch_size: int = Field(64, ge=1, description="transitions in one update")
    memory: int = Field(128, ge=1, description="episodes whose transitions are remembered")
    tau: float = Field(0.01, gt=0, le=1, description="share of the networks that moves into the target networks at an "
                       "update")
    discount: float = Field(1.0, ge=0, le=1, description="discount of later rewards (gamma)")
    noise: float = Field(0.5, ge=0, description="standard deviation of the actions' truncated normal noise at first")
    noise_decay: float = Field(0.99, gt=0, le=1, description="factor of that deviation after each episode")
