"""LSQ+: learned offsets and better initial scales (CVPR workshops 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, MethodSpec, Paper, hookimpl

from .options import LsqPlusOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="lsqplus", summary="learned scales, with learned offsets where values are one-sided",
        factory=".method:LsqPlus", options=LsqPlusOptions,
        paper=Paper("LSQ+: Improving low-bit quantization through learnable offsets and better initialization",
                    "Yash Bhalgat, Jinwon Lee, Markus Nagel, Tijmen Blankevoort, Nojun Kwak", "CVPR Workshops", 2020,
                    "https://arxiv.org/abs/2004.09576"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and attention "
                  "products; first and last layer at 8 bits",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), trains=True,
        ablations={
            "gaussian start of weights": {"search": {"weights": "gaussian"}},
            "lsq start": {"search": {"weights": "lsq", "activations": "lsq"}},
            "no offset": {"hidden": {"offset": False}},
            "offsets everywhere": {"activations": {"scheme": "unsigned", "offset": True}},
            "first and last layer as the others": {"stem_bits": None, "head_bits": None},
            "distillation": {"losses": ["kd"]},
            "labels and distillation": {"losses": ["task", "kd"]},
            "kurtosis": {"losses": ["task", "kure"]},
            "hinge": {"losses": ["task", "hinge"]},
        })
