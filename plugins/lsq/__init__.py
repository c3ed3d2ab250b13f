"""LSQ: scales learned with the weights (ICLR 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, MethodSpec, Paper, hookimpl

from .options import LsqOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="lsq", summary="learned scales, one a tensor", factory=".method:Lsq", options=LsqOptions,
        paper=Paper("Learned Step Size Quantization",
                    "Steven K. Esser, Jeffrey L. McKinstry, Deepika Bablani, Rathinakumar Appuswamy, "
                    "Dharmendra S. Modha", "ICLR", 2020, "https://arxiv.org/abs/1902.08153"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and attention "
                  "products; first and last layer at 8 bits",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), trains=True,
        ablations={
            "mse start": {"search": {"weights": "mse", "activations": "mse"}},
            "mse start of weights": {"search": {"weights": "mse"}},
            "no gradient scale": {"weights": {"gradient_scale": "off"}, "activations": {"gradient_scale": "off"},
                                  "attention": {"gradient_scale": "off"}, "hidden": {"gradient_scale": "off"}},
            "signed hidden": {"hidden": {"scheme": "symmetric"}},
            "signed attention": {"attention": {"scheme": "symmetric"}},
            "first and last layer as the others": {"stem_bits": None, "head_bits": None},
            "distillation": {"losses": ["kd"]},
            "labels and distillation": {"losses": ["task", "kd"]},
            "kurtosis": {"losses": ["task", "kure"]},
            "hinge": {"losses": ["task", "hinge"]},
        })
