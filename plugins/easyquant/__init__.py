"""EasyQuant: scales of greatest cosine similarity of each layer's output (Wu et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import MethodSpec, Paper, SearchSpec, hookimpl

from .options import EasyQuantMethodOptions, EasyQuantOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="easyquant", summary="scales of greatest cosine similarity of each output",
        factory=".method:EasyQuantMethod", options=EasyQuantMethodOptions,
        paper=Paper("EasyQuant: Post-training Quantization via Scale Optimization",
                    "Wu, Tang, Zhao, Zhang, Fu, Zhang", "arXiv", 2020, "https://arxiv.org/abs/2006.16669"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and "
                  "attention products",
        calibration_size=50,
        ablations={"parallel": {"search": {"order": "parallel"}}, "one-round": {"search": {"rounds": 1}},
                   "beta-2": {"search": {"beta": 2.0}}})


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="easyquant", summary="scales of greatest cosine similarity of each layer's output",
                     factory=".search:EasyQuantSearch", options=EasyQuantOptions)
