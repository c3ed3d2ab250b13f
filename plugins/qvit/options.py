"""Options of Q-ViT: every switch that the paper ablates, and the readings of what it leaves open. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness import Choice, LossOptions, Options, TrainedOptions, TrainingOptions

#: Bits of the first and the last layer in a uniform model, and what they start from where they are learned.
ENDS = 8

_PER_HEAD = "one scale for each head (eq. 9), not one that all heads of a tensor share (official code)"
_COMPAT = ("cut the weights of q, k, v along their inputs and the output projection's along its outputs, as the "
           "official code does; else as eqs. 3 and 10 say")
_SWITCHABLE = "a scale for each bit-width (switchable scale), not one for all"


class WidthOptions(Options):
    """Smallest and largest bit-width of learned bits."""

    low: int = Field(2, ge=2, le=8, description="b_min of eq. 7: fewest bits that are learned")
    high: int = Field(8, ge=2, le=8, description="b_max of eq. 7: most bits that are learned")

    @model_validator(mode="after")
    def _ordered(self) -> WidthOptions:
        if self.low > self.high:
            raise ValueError("low must not be larger than high")
        return self


class SwitchableOptions(WidthOptions):
    """Options of the quantizer ``switchable``."""

    granularity: Literal["head", "layer"] = Field("head", description="what has a bit-width of its own: each head "
                                                  "(where the tensor has heads), or each layer's tensor")
    scheme: Literal["symmetric", "unsigned"] = Field("symmetric", description="integers -2^(b-1) to 2^(b-1)-1, or "
                                                     "0 to 2^b-1")
    offset: bool = Field(False, description="learn an offset too (for each bit-width, as the scale)")
    learn: bool = Field(True, description="learn the bit-widths; else only the scales")
    switchable: bool = Field(True, description=_SWITCHABLE)
    scale_per_head: bool = Field(False, description=_PER_HEAD)
    compat_head_axis: bool = Field(False, description=_COMPAT)


class BitOpsOptions(LossOptions):
    """Options of the loss ``bitops``."""

    weight: float = Field(0.1, ge=0, description="eta of eq. 13")
    budget: float | None = Field(None, gt=0, description="c of eq. 13 in giga-BitOPs of one sample; none: those of the "
                                 "same model uniformly at the run's bits, with first and last layer at 8")
    unit: float | None = Field(None, gt=0, description="BitOPs in which excess is counted; none: 1e9 as in the paper, "
                               "and for a model with fewer MACs than DeiT-T in proportion less")


class BitOptions(WidthOptions):
    """Options ``bits`` of the method."""

    learn: bool = Field(True, description="learn the bit-widths; else a uniform model with learned scales (LSQ+)")
    granularity: Literal["head", "layer"] = Field("head", description="what has a bit-width of its own in attention")
    start: int | None = Field(None, ge=2, le=8, description="bits that learning starts from; none: one more than "
                              "the run's")
    learning_rate: float | None = Field(
        None, gt=0, description="of the bit-widths; none: the training's, but in a run so short that with it no "
        "bit-width could move by 2 bits, the one with which it can")


class ScaleOptions(Options):
    """Options ``scale`` of the method."""

    switchable: bool = Field(True, description=_SWITCHABLE)
    per_head: bool = Field(False, description=_PER_HEAD)


class OffsetOptions(Options):
    """Options ``offset`` of the method."""

    gelu: bool = Field(True, description="unsigned integers with a learned offset for the output of GELU")
    all: bool = Field(False, description="learn offsets of all other activations too, but of attention maps")


class QVitTraining(TrainingOptions):
    """The schedule of section 4.1, and the official code where the paper is silent."""

    epochs: float = Field(300, gt=0, description="epochs of the paper's schedule (budget 'paper')")
    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate")
    mode: Literal["train", "eval"] = Field("eval", description="mode of dropout and drop-path while training")


class QVitOptions(TrainedOptions):
    """Options of the method ``qvit``."""

    weights: Choice = Field(Choice(name="switchable"), description="quantizer of the weights")
    activations: Choice = Field(Choice(name="switchable"), description="quantizer of the operands of linear layers, "
                                "convolutions and attention products")
    stem_bits: int | None = Field(ENDS, ge=2, le=32, description="bits of weight and input of the patch embedding (or "
                                  "first layer), or what they start from; none: as all other layers")
    head_bits: int | None = Field(ENDS, ge=2, le=32, description="bits of weight and input of the classifier, or what "
                                  "they start from; none: as all other layers")
    search: Choice = Field(Choice(name="learned_scale", options={"images": 64}), description="search that sets the "
                           "scales of all bit-widths before training")
    training: QVitTraining = Field(QVitTraining(), description="optimizer, schedule, teacher")
    bits: BitOptions = Field(BitOptions(), description="learned bit-widths")
    scale: ScaleOptions = Field(ScaleOptions(), description="learned scales")
    offset: OffsetOptions = Field(OffsetOptions(), description="learned offsets")
    first_last: Literal["learn", "fixed"] = Field("learn", description="bits of first and last layer, where bits are "
                                                  "learned at all: learned too, or fixed")
    sigma: float = Field(0.9, ge=0, le=1, description="share of the steps in which bits are learned (searching stage)")
    eta: float = Field(0.1, ge=0, description="weight of the penalty on BitOPs over the budget (eq. 13)")
    budget_g: float | None = Field(None, gt=0, description="giga-BitOPs allowed for one sample; none: those of the "
                                 "same model uniformly at the run's bits, with first and last layer at 8")
    compat_head_axis: bool = Field(False, description=_COMPAT)
    sensitivity: Literal["off", "mlp", "gelu_fp", "fc_fp", "head"] = Field(
        "off", description="probes of Fig. 2, at uniform bits: the MLPs alone quantized; without the output of GELU; "
        "the output of GELU alone; one head of the first attention at 2 bits, without training")
    sensitivity_head: int = Field(0, ge=0, description="the head of that probe")
