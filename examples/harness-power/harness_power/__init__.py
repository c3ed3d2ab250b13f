"""Levels that follow a power law: more of them where values are small. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, LossSpec, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import PowerMethodOptions, PowerOptions, PullOptions

#: The version of the harness's interface that this was written for.
harness_api = "1.0"


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="power", summary="levels that follow a power law, with a learned scale",
                        factory=".quantizer:power", options=PowerOptions)


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="pull", summary="draws weights to their levels, more and more", factory=".loss:Pull",
                   options=PullOptions)


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="power", summary="levels that follow a power law; weights are drawn to them", factory=".method:PowerLaw",
        options=PowerMethodOptions, trains=True,
        paper=Paper("An example of a plugin package", "the authors of the harness", "none", 2026),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and attention "
                  "products; first and last layer at 8 bits",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8),
        ablations={
            "uniform": {"weights": {"exponent": 1.0}, "activations": {"exponent": 1.0}},
            "no pull": {"losses": ["task"]},
            "distillation": {"losses": ["kd", "pull"]},
        })
