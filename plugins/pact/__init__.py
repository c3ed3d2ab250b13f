"""PACT: activations clipped at a learned level (arXiv 2018)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import BinOptions, ClipOptions, PactOptions


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="pact", summary="uniform integers up to a learned clipping level", options=ClipOptions,
                        factory=".clipping:pact")
    yield QuantizerSpec(name="dorefa", summary="weights through tanh into even bins up to the largest (DoReFa-Net)",
                        options=BinOptions, factory=".bins:dorefa")
    yield QuantizerSpec(name="sawb", summary="weights in even bins up to a level from their moments (PACT-SAWB)",
                        options=BinOptions, factory=".bins:sawb")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="pact", summary="activations clipped at learned levels, weights in even bins", factory=".method:Pact",
        options=PactOptions,
        paper=Paper("PACT: Parameterized Clipping Activation for Quantized Neural Networks",
                    "Jungwook Choi, Zhuo Wang, Swagath Venkataramani, Pierce I-Jen Chuang, Vijayalakshmi Srinivasan, "
                    "Kailash Gopalakrishnan", "arXiv", 2018, "https://arxiv.org/abs/1805.06085"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and attention "
                  "products; first and last layer at 8 bits",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), trains=True,
        ablations={
            "dorefa weights": {"weights": "dorefa"},
            "learned scales of weights": {"weights": "learned"},
            "mse start": {"search": {"activations": "mse"}},
            "no decay of the clipping level": {"clip_decay": 0.0},
            "signed hidden": {"hidden": {"scheme": "symmetric"}},
            "first and last layer as the others": {"stem_bits": None, "head_bits": None},
            "distillation": {"losses": ["kd"]},
            "labels and distillation": {"losses": ["task", "kd"]},
            "kurtosis": {"losses": ["task", "kure"]},
            "hinge": {"losses": ["task", "hinge"]},
        })
