"""The core's own plugin: its quantizers, losses and cost conventions, through the public hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from .hookspecs import hookimpl
from .options import Options
from .specs import CostSpec, LossSpec, MethodSpec, QuantizerSpec
from .training.options import LossOptions


class UniformOptions(Options):
    """Options of the uniform quantizer."""

    granularity: Literal["tensor", "channel", "head", "module", "module_head", "group"] = Field(
        "tensor", description="which positions share a scale")
    group: int = Field(0, ge=0, description="channels per group, for granularity group")
    scheme: Literal["symmetric", "unsigned", "asymmetric"] = Field(
        "asymmetric", description="symmetric: signed integers, no zero point; unsigned: 0 to 2^b-1; "
        "asymmetric: 0 to 2^b-1 with a zero point")


class DistillationOptions(LossOptions):
    """Options of the loss ``kd``."""

    temperature: float = Field(1.0, gt=0, description="divides the logits of both before the softmax")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(name="full_precision", summary="the model as it is: what every method is compared with",
                     factory=".engine.reference:FullPrecision", quantizes="nothing")


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="uniform", summary="uniform integers over any fixed partition",
                        factory=".quantizers.factory:uniform", options=UniformOptions)


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="task", summary="the model's own loss on labels", factory=".training.losses:TaskLoss",
                   options=LossOptions)
    yield LossSpec(name="kd", summary="cross-entropy with the teacher's class probabilities",
                   factory=".training.losses:Distillation", options=DistillationOptions)


@hookimpl
def harness_costs() -> Iterable[CostSpec]:
    yield CostSpec(name="plain", summary="MACs x weight bits x activation bits, plus what groups add",
                   factory=".cost.conventions:plain")
    yield CostSpec(name="qvit", summary="Q-ViT's rule: bits per head, patch embedding and head included",
                   factory=".cost.conventions:qvit")
    yield CostSpec(name="quantformer", summary="Quantformer's rule, with its constant per channel",
                   factory=".cost.conventions:quantformer")
