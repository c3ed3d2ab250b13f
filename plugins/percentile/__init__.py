"""Percentile ranges (FQN, Li et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import MethodSpec, Paper, SearchSpec, hookimpl

from .options import PercentileMethodOptions, PercentileOptions


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="percentile", summary="percentiles of the activations, averaged over batches",
        factory=".method:PercentileMethod", options=PercentileMethodOptions,
        paper=Paper("Fully Quantized Network for Object Detection", "Li et al.", "CVPR", 2019,
                    "https://openaccess.thecvf.com/content_CVPR_2019/html/"
                    "Li_Fully_Quantized_Network_for_Object_Detection_CVPR_2019_paper.html"),
        quantizes="every weight but the embeddings; every operand of linear layers, convolutions and "
                  "attention products",
        ablations={"pct-99.9": {"search": {"pct": 99.9}}, "pct-99.99": {"search": {"pct": 99.99}},
                   "pct-mse": {"search": {"pct": "mse"}}, "weights-percentile": {"search": {"weights": "percentile"}}})


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="percentile", summary="percentiles of each batch, averaged over batches",
                     factory=".search:PercentileSearch", options=PercentileOptions)
