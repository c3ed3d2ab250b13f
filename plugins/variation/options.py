"""Options of variation-aware training: the switches of the paper and the readings of what it leaves open. No torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import ADDED_LATER, Choice, LossOptions, Options, TrainedOptions, TrainingOptions

#: Parts of a transformer that Tables 1 and 9 keep in full precision, or quantize alone.
Module = Literal["ffn", "mhsa", "q", "k", "v"]

_MODULES = "ffn, mhsa, or of its projections q, k, v"


LabelType = Literal["marginal_smoothing_top5", "full"]


class ModuleDependentOptions(Options):
    """Options of the quantizer ``module_dependent``."""

    granularity: Literal["head", "module", "layer"] = Field(
        "head", description="what has a scale of its own: each head of W_q, W_k, W_v, W_o and of the operands of "
        "attention; each of W_q, W_k, W_v; the layer's tensor")
    gradient_scale: Literal["l1", "numel", "off"] = Field(
        "l1", description="factor of the scale's gradient: 1 / sqrt(Q_P ||w||_1) of the module; LSQ's 1 / sqrt(Q_P N), "
        "N the number of its elements; 1")
    activation_gradient_scale: Literal["code", "lsq"] = Field(
        "code", description="with l1, for activations with one scale: the official code's 1 / (Q_P sqrt(N)), or LSQ's")


class MultiCropOptions(LossOptions):
    """Options of the loss ``mckd``."""

    label_type: LabelType = Field(
        "marginal_smoothing_top5", description="what is kept of the teacher's answer to a view: its 5 largest "
        "probabilities, the rest spread evenly over the other classes; or all of them (half precision both)")
    teacher: str | None = Field(
        None, description="model whose answers are stored; none: the same model in full precision. The method "
        "variation fills in its training.teacher")


class BinOptions(LossOptions):
    """Options of the loss ``obr``."""

    weight: float = Field(0.1, ge=0, description="lambda at the end of training; it rises there along a cosine from 0")
    start: float = Field(0.25, ge=0, lt=1, description="share of the training after which lambda begins to rise")
    error: Literal["mean_sq", "l2norm"] = Field(
        "mean_sq", description="first term, of each module: mean squared error of the clipped weights (official code), "
        "or ||w - w_q||_2 (eq. 10 as printed)")
    min_count: int = Field(2, ge=2, description="fewest weights of a bin whose variance counts (the text: more than 2)")
    ddof: Literal[0, 1] = Field(1, description="variance is divided by the number of weights minus this")
    most_bits: int = Field(3, ge=1, description="left out of runs whose weights have more bits (paper: 2 and 3 bits "
                           "only, but 4 in Table 6)")


class VariationTraining(TrainingOptions):
    """The paper's Table 11 for DeiT-T."""

    epochs: float = Field(150, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    batch_size: int = Field(1024, ge=1, description="views a step; a task may allow fewer (see the record's notes)")
    final_learning_rate: float = Field(1e-5, ge=0, description="learning rate at the end (paper: Swin 5e-6)")
    warmup: float = Field(5 / 150, ge=0, lt=1, description="share of the steps with a linearly rising learning rate")
    weight_decay: float = Field(1e-4, ge=0, description="of weight matrices; not of biases, norms and quantizers")
    crops: int = Field(4, ge=1, description="views of the same sample in one step (M of eq. 9)")
    crop_bank: int | None = Field(500, ge=1, description="draw views from so many fixed ones of each sample, so that "
                                  "their soft labels can be used again; none: every view is new")


class HeadProbe(Options):
    """One head at other bits than the rest (Fig. 3)."""

    block: int = Field(0, ge=0, description="index of the head's block")
    head: int = Field(0, ge=0, description="index of the head within the block")
    bits: int = Field(2, ge=2, le=32, description="bits of the head; all others have the run's")


class VariationOptions(TrainedOptions):
    """Options of the method ``variation``."""

    weights: Choice = Field(Choice(name="module_dependent"), description="quantizer of the weights")
    activations: Choice = Field(
        Choice(name="module_dependent"),
        description="quantizer of the operands of linear layers, convolutions and attention products")
    binary_weights: Choice = Field(
        Choice(name="binary_weight", options={"granularity": "module_head", "scale": "learned",
                                              "gradient_scale": "l1"}),
        json_schema_extra=ADDED_LATER, description="quantizer of the weights that have 1 bit (language models)")
    binary_activations: Choice = Field(
        Choice(name="elastic", options={"granularity": "module_head", "gradient_scale": "l1"}),
        json_schema_extra=ADDED_LATER, description="quantizer of the activations that have 1 bit (language models)")
    search: Choice = Field(
        Choice(name="learned_scale", options={"weights": "mse", "activations": "lsq", "images": 64}),
        description="search that sets the scales before training")
    losses: tuple[Choice, ...] = Field(
        (Choice(name="mckd"), Choice(name="obr")), description="terms of the training objective: mckd or kd "
        "(distillation), task (labels), obr (bin regularisation), kure")
    training: VariationTraining = Field(VariationTraining(), description="optimizer, schedule, teacher, crops")
    first_last_bits: int | None = Field(
        8, ge=2, le=32, description="bits of weight and input of the patch embedding and the classifier; none: "
        "stem_bits, head_bits and the run's")
    merging: Literal["code", "run"] = Field(
        "code", description="layers between Swin's stages: weights with first_last_bits and inputs in full precision "
        "(official code), or as all other layers")
    leave_out: tuple[Module, ...] = Field(
        (), description=f"modules that stay in full precision (Table 1): {_MODULES}")
    only: tuple[Module, ...] = Field(
        (), description=f"modules that alone are quantized (Table 9), all where none is named: {_MODULES}")
    module_sites: Literal["all", "weights"] = Field(
        "all", description="what leave_out and only speak of: a module's weights and activations, or its weights")
    head_probe: HeadProbe | None = Field(None, description="one head at other bits than the rest (Fig. 3); none: none")
    track_oscillation: bool = Field(True, description="follow which weights oscillate, for the record's notes")
