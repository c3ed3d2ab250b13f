"""Plain min-max ranges: the baseline of baselines."""

from __future__ import annotations

from collections.abc import Iterable

from harness import MethodSpec, Paper, SearchSpec, hookimpl

from .options import MinMaxMethodOptions, MinMaxOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="minmax", summary="plain min-max ranges", factory=".method:MinMaxMethod", options=MinMaxMethodOptions,
        paper=Paper("Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
                    "Jacob et al.", "CVPR", 2018, "https://arxiv.org/abs/1712.05877"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and "
                  "attention products",
        ablations={"ema": {"search": {"ema": True}}})


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="minmax", summary="smallest and largest value seen",
                     factory=".search:MinMaxSearch", options=MinMaxOptions)
