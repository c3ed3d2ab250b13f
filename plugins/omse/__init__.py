"""Ranges of least squared error (OMSE, Choukroun et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import MethodSpec, Paper, SearchSpec, hookimpl

from .options import OmseMethodOptions, OmseOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="omse", summary="shrunken ranges of least squared error", factory=".method:OmseMethod",
        options=OmseMethodOptions,
        paper=Paper("Low-bit Quantization of Neural Networks for Efficient Inference",
                    "Choukroun, Kravchik, Yang, Kisilev", "ICCV Workshops", 2019, "https://arxiv.org/abs/1902.06822"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and "
                  "attention products",
        ablations={"weights-minmax": {"search": {"weights": "minmax"}}})


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="omse", summary="the shrunken range of least squared error",
                     factory=".search:OmseSearch", options=OmseOptions)
