"""IGQ-ViT: instance-aware group quantization for vision transformers (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, MethodSpec, Paper, QuantizerSpec, SearchSpec, hookimpl

from .options import GroupSearchOptions, IgqOptions, InstanceGroupsOptions, InstanceMinMaxOptions


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="instance_groups", options=InstanceGroupsOptions,
                        summary="channels or attention rows grouped anew for every input by their ranges",
                        factory=".quantizer:instance_groups")
    yield QuantizerSpec(name="instance_minmax", options=InstanceMinMaxOptions,
                        summary="a min-max range for each channel or attention row of every input",
                        factory=".instance_minmax:instance_minmax")


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="instance_groups", options=GroupSearchOptions,
                     summary="IGQ-ViT's Algorithm 1: bounds by running means, numbers of groups by an ILP",
                     factory=".search:GroupSearch")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="igqvit", options=IgqOptions, factory=".method:IgqVit",
        summary="instance-aware groups of channels and attention rows, numbers of groups by an ILP",
        paper=Paper("Instance-Aware Group Quantization for Vision Transformers",
                    "Jaehyeon Moon, Dohyung Kim, Junyong Cheon, Bumsub Ham", "CVPR", 2024,
                    "https://arxiv.org/abs/2404.00928"),
        quantizes="weights and inputs of all linear layers and convolutions, both products of attention",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), calibration_size=32,
        published=":published.csv", claims=":claims.toml",
        ablations={
            "no allocation": {"search": {"alloc": "uniform"}},
            "greedy allocation": {"search": {"alloc": "greedy"}},
            "12 groups": {"g": 12},
            "consecutive groups": {"channels": "static_consecutive", "rows": "layer"},
            "layer-wise": {"channels": "layer", "rows": "layer"},
            "layer-wise channels": {"channels": "layer"},
            "layer-wise rows": {"rows": "layer"},
            "upper bound": {"channels": "per_channel", "rows": "per_row"},
            "range only": {"distance": "range_only"},
            "L1 distance": {"distance": "l1_minmax"},
            "learned softmax bounds": {"softmax_lower": "learned"},
            "mse metric": {"search": {"metric": "mse"}},
            "8-bit head and stem": {"head_stem_bits": 8},
        })
