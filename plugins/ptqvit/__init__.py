"""VT-PTQ: post-training quantization with a ranking loss and nuclear-norm mixed precision (NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import MethodSpec, Paper, SearchSpec, hookimpl

from .options import AlternatingOptions, HessianOptions, NuclearOptions, PtqVitOptions

_OFF = {"ranking": {"enabled": False}, "bias_correction": False}
_RANKING = {"bias_correction": False}
_BIAS = {"ranking": {"enabled": False}}


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="ptqvit", summary="alternating interval search for similar outputs, with ranking loss and bias correction",
        factory=".method:PtqVit", options=PtqVitOptions, possible=".options:one_search_of_bits",
        paper=Paper("Post-Training Quantization for Vision Transformer", "Liu, Wang, Han, Zhang, Ma, Gao", "NeurIPS",
                    2021, "https://arxiv.org/abs/2106.14156"),
        quantizes="every weight and every input of linear layers and attention products, softmax output included, "
                  "by signed uniform integers with one interval a tensor; not softmax, LayerNorm and GELU themselves",
        calibration_size=1000, published=":published.csv", claims=":claims.toml",
        ablations={
            # The rows of Table 3, in its order; the last is the paper's full method.
            "similarity": {"search": _OFF},
            "similarity+ranking": {"search": _RANKING},
            "similarity+bias": {"search": _BIAS},
            "similarity+ranking+bias": {},
            "similarity+mixed": {"search": _OFF, "mixed_precision": "nuclear"},
            "similarity+bias+mixed": {"search": _BIAS, "mixed_precision": "nuclear"},
            "similarity+ranking+mixed": {"search": _RANKING, "mixed_precision": "nuclear"},
            "similarity+ranking+bias+mixed": {"mixed_precision": "nuclear"},
            # Table 4.
            "hessian": {"mixed_precision": "hessian"},
        })


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="alternating", summary="scales of both operands in turn, for similar outputs",
                     factory=".alternating:AlternatingSearch", options=AlternatingOptions)
    yield SearchSpec(name="nuclear", summary="bits of attention and MLP modules by nuclear norm (eq. 17)",
                     factory=".nuclear:NuclearSearch", options=NuclearOptions)
    yield SearchSpec(name="hessian", summary="bits of attention and MLP modules by Hessian trace (HAWQ-v2)",
                     factory=".hessian:HessianSearch", options=HessianOptions)
