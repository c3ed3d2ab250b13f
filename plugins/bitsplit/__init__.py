"""Bit-Split and Stitching: integers optimised one bit plane at a time (Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, MethodSpec, Paper, SearchSpec, hookimpl

from .options import BitSplitMethodOptions, BitSplitOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="bitsplit", summary="weight integers optimised one bit plane at a time", factory=".method:BitSplitMethod",
        options=BitSplitMethodOptions,
        paper=Paper("Towards Accurate Post-training Network Quantization via Bit-Split and Stitching",
                    "Wang, Chen, He, Cheng", "ICML", 2020, "https://proceedings.mlr.press/v119/wang20c.html"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and "
                  "attention products; first and last layer at 8 bits",
        weight_bits=BitRange(3, 8),
        ablations={"fwa": {"search": {"weights": "fwa"}}, "ofwa": {"search": {"weights": "ofwa"}},
                   "no-compensation": {"search": {"compensate": False}}, "no-damping": {"search": {"damping": 0.0}}})


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="bitsplit", summary="weight integers of least output error, bit plane by bit plane",
                     factory=".search:BitSplitSearch", options=BitSplitOptions,
                     possible=".options:enough_planes")
