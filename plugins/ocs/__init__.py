"""OCS: outlier channel splitting, after training and before quantization-aware training (ICML 2019)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import BitRange, MethodSpec, Paper, SearchSpec, hookimpl

from .options import OcsOptions, OcsQatOptions, SplittingOptions

_PAPER = Paper("Improving Neural Network Quantization without Retraining using Outlier Channel Splitting",
               "Ritchie Zhao, Yuwei Hu, Jordan Dotzel, Christopher De Sa, Zhiru Zhang", "ICML", 2019,
               "https://arxiv.org/abs/1901.09504")
_QUANTIZES = ("weights and inputs of all linear layers and convolutions but the first; operands of attention products, "
              "without splitting")
_ABLATIONS: dict[str, dict[str, Any]] = {
    "no splitting": {"search": {"target": None}},
    "activation splitting": {"search": {"target": "activation"}},
    "oracle activation splitting": {"search": {"target": "activation", "channels": "oracle"}},
    "naive split": {"search": {"split": "naive"}},
    "1 % channels": {"search": {"expand_ratio": 0.01}},
    "5 % channels": {"search": {"expand_ratio": 0.05}},
    "10 % channels": {"search": {"expand_ratio": 0.1}},
    "aciq clip": {"search": {"weight_clip": "aciq", "activation_clip": "aciq"}},
    "kl clip": {"search": {"weight_clip": "kl", "activation_clip": "kl"}},
}
_MSE = {"weight_clip": "mse", "activation_clip": "mse"}


@hookimpl
def harness_searches() -> Iterable[SearchSpec]:
    yield SearchSpec(name="ocs", summary="splits the channels of outliers, then sets thresholds (none, MSE, ACIQ, KL)",
                     options=SplittingOptions, factory=".search:OutlierSplitting")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="ocs", summary="outlier channels split in two, then linear quantization; no training",
        options=OcsOptions, factory=".method:Ocs", paper=_PAPER, quantizes=_QUANTIZES, claims=":claims.toml",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), calibration_size=512,
        ablations=_ABLATIONS | {"mse clip": {"search": _MSE},
                                "clip without splitting": {"search": {"target": None, **_MSE}}})
    yield MethodSpec(
        name="ocs_qat", summary="outlier channels split in two, then quantization-aware training",
        options=OcsQatOptions, factory=".method:OcsQat", paper=_PAPER, trains=True,
        quantizes="weights and inputs of all linear layers and convolutions (patch embedding and classifier at 8 bits, "
                  "not split); operands of attention products at 8 bits, without splitting",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), calibration_size=512,
        ablations=_ABLATIONS | {"no clip": {"search": dict.fromkeys(_MSE)}})
