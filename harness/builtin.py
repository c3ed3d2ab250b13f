"""The core's own plugin: its quantizers, searches, losses and cost conventions, through the public hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from .hookspecs import hookimpl
from .options import Options
from .specs import CostSpec, LossSpec, MethodSpec, QuantizerSpec, SearchSpec
from .training.options import LossOptions

InitialRule = Literal["mse", "lsq", "gaussian", "minmax"]


class UniformOptions(Options):
    """Options of the uniform quantizer."""

    granularity: Literal["tensor", "channel", "head", "module", "module_head", "group"] = Field(
        "tensor", description="which positions share a scale")
    group: int = Field(0, ge=0, description="channels per group, for granularity group")
    scheme: Literal["symmetric", "unsigned", "asymmetric"] = Field(
        "asymmetric", description="symmetric: signed integers, no zero point; unsigned: 0 to 2^b-1; "
        "asymmetric: 0 to 2^b-1 with a zero point")


class LearnedOptions(Options):
    """Options of the quantizer with a learned scale."""

    granularity: Literal["tensor", "channel", "head", "module", "module_head", "group"] = Field(
        "tensor", description="which positions share a scale")
    group: int = Field(0, ge=0, description="channels per group, for granularity group")
    scheme: Literal["symmetric", "unsigned"] = Field(
        "symmetric", description="symmetric: -2^(b-1) to 2^(b-1)-1; unsigned: 0 to 2^b-1")
    offset: bool = Field(False, description="learn what is subtracted before scaling, too (LSQ+)")
    gradient_scale: Literal["numel", "l1", "off"] = Field(
        "numel", description="factor of the scale's gradient: 1 / sqrt(N high), N the elements of a slot (LSQ); "
        "1 / sqrt(||x||_1 high) (module-dependent quantization); 1")


class LearnedScaleOptions(Options):
    """Options of the search ``learned_scale``."""

    weights: InitialRule = Field(
        "mse", description="where scales of weights start: mse: least squared error (Q-ViT); lsq: 2 mean|w| / "
        "sqrt(high); gaussian: max|mu +- 3 sigma| / 2^(b-1) (LSQ+); minmax: the largest magnitude / high")
    activations: InitialRule = Field("mse", description="where scales and offsets of activations start; rules "
                                     "as for the weights")
    images: int | None = Field(None, ge=1, description="calibration samples that the activations are seen of, in one "
                               "forward; none: one batch of the calibration")


class DistillationOptions(LossOptions):
    """Options of the loss ``kd``."""

    temperature: float = Field(1.0, gt=0, description="divides the logits of both before the softmax")


class KurtosisOptions(LossOptions):
    """Options of the loss ``kure``."""

    target: float = Field(1.8, gt=0, description="kurtosis that weights are drawn to; 1.8: a uniform distribution")


class HingeOptions(LossOptions):
    """Options of the loss ``hinge``."""

    theta: float = Field(0.2, ge=0, description="margin by which the order of two attentions is to be kept")
    reduction: Literal["sum", "mean"] = Field(
        "mean", description="over the pairs and rows of a map: sum (the paper's formula), or mean")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(name="full_precision", summary="the model as it is: what every method is compared with",
                     factory=".engine.reference:FullPrecision", quantizes="nothing")


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="uniform", summary="uniform integers over any fixed partition",
                        factory=".quantizers.factory:uniform", options=UniformOptions)
    yield QuantizerSpec(name="learned", summary="uniform integers with a learned scale (LSQ), and a learned offset "
                        "if asked (LSQ+)", factory=".quantizers.factory:learned", options=LearnedOptions)


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="learned_scale", summary="where learned scales start, from one batch",
                     factory=".observers.learned_scale:LearnedScaleSearch", options=LearnedScaleOptions)


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="task", summary="the model's own loss on labels", factory=".training.losses:TaskLoss",
                   options=LossOptions)
    yield LossSpec(name="kd", summary="cross-entropy with the teacher's class probabilities",
                   factory=".training.losses:Distillation", options=DistillationOptions)
    yield LossSpec(name="kure", summary="draws the kurtosis of quantized weights to that of a uniform distribution",
                   factory=".training.kurtosis:Kurtosis", options=KurtosisOptions)
    yield LossSpec(name="hinge", summary="keeps the order of the teacher's attentions, pair by pair",
                   factory=".training.ranking_loss:HingeRanking", options=HingeOptions)


@hookimpl
def harness_costs() -> Iterable[CostSpec]:
    yield CostSpec(name="plain", summary="MACs x weight bits x activation bits, plus what groups add",
                   factory=".cost.conventions:plain")
    yield CostSpec(name="qvit", summary="Q-ViT's rule: bits per head, patch embedding and head included",
                   factory=".cost.conventions:qvit")
    yield CostSpec(name="quantformer", summary="Quantformer's rule, with its constant per channel",
                   factory=".cost.conventions:quantformer")
