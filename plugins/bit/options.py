"""Options of BiT. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Choice, LossOptions, Options, TrainedOptions, TrainingOptions

Granularity = Literal["tensor", "channel", "head", "module", "module_head"]

_SLOTS = "which positions share a scale"
_GRADIENT = ("factor of the scale's gradient: 1 / sqrt(N Q_P), N the elements of a slot (LSQ); 1 / sqrt(||x||_1 Q_P) "
             "(module-dependent quantization); 1")


class BinaryWeightOptions(Options):
    """Options of the quantizer ``binary_weight``."""

    granularity: Granularity = Field("tensor", description=f"{_SLOTS}; a channel of word embeddings is a word")
    scale: Literal["mean", "learned"] = Field(
        "mean", description="the mean magnitude of the present weights, or learned from there")
    gradient_scale: Literal["numel", "l1", "off"] = Field("numel", description=f"of learned scales: {_GRADIENT}")


class ElasticOptions(Options):
    """Options of the quantizer ``elastic``."""

    granularity: Granularity = Field("tensor", description=_SLOTS)
    scheme: Literal["by_site", "symmetric", "unsigned"] = Field(
        "by_site", description="by_site: unsigned for attention maps and for the input of an MLP's second layer, "
        "symmetric elsewhere")
    shift: bool = Field(True, description="learn what is subtracted from each channel of a layer's symmetric input")
    gradient_scale: Literal["numel", "l1", "off"] = Field("numel", description=_GRADIENT)


class HiddenOptions(LossOptions):
    """Options of the loss ``hidden``."""


class BitTraining(TrainingOptions):
    """BiT's training; epochs, batch and learning rate are those of MNLI, each task of GLUE has its own."""

    epochs: float = Field(6, gt=0, description="epochs of each step of the paper's schedule (budget 'paper')")
    batch_size: int = Field(16, ge=1, description="sentences a step; a task may allow fewer (see the record's notes)")
    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate")
    scale_learning_rate: float = Field(1e-4, gt=0, description="peak learning rate of the scales")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps with a linearly rising learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("linear", description="fall of the learning rate")
    weight_decay: float = Field(0.01, ge=0, description="of weight matrices; not of biases, norms and quantizers")


class BitOptions(TrainedOptions):
    """Options of the method ``bit``."""

    weights: Choice = Field(Choice(name="binary_weight"), description="quantizer of the weights")
    activations: Choice = Field(Choice(name="elastic"), description="quantizer of the operands of linear layers, "
                                "convolutions and attention products")
    embeddings: Choice | None = Field(
        Choice(name="binary_weight", options={"granularity": "channel"}), description="quantizer of the word "
        "embeddings; none: that of the weights")
    scope: Literal["all", "no_head", "backbone"] = Field(
        "no_head", description="what is quantized: all layers, or all but those that give the predictions")
    search: Choice = Field(
        Choice(name="learned_scale", options={"images": 64}),
        description="search that sets the scales before training; on many sentences, because scales of attention maps "
        "start at 4 / length of the batch")
    losses: tuple[Choice, ...] = Field(
        (Choice(name="hidden"), Choice(name="kd")), description="terms of the training objective: hidden (hidden "
        "states), kd (logits), task (labels)")
    training: BitTraining = Field(BitTraining(), description="optimizer, schedule, teacher")
    activation: Literal["relu", "model"] = Field(
        "relu", description="the student's activation function: ReLU in place of GELU, or what the model has")
    multistep: bool = Field(True, description="reach binary activations in two steps: a student with 2-bit "
                            "activations, then a binary one that starts from it and learns from it")
