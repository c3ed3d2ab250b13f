"""Quantformer: extremely low-precision vision transformers (TPAMI 2023)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, LossSpec, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import CentreOptions, GroupsOptions, QuantformerOptions, RankConsistencyOptions, ThresholdOptions

_TASK_ONLY = {"losses": ["task"]}


def _objective(**options: object) -> dict[str, object]:
    return {"losses": ["task", {"name": "src", **options}]}


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="quantformer_weight", options=ThresholdOptions, factory=".weight:quantformer_weight",
                        summary="symmetric integers up to a threshold; every weight keeps its gradient")
    yield QuantizerSpec(name="quantformer_groups", options=GroupsOptions, factory=".groups:quantformer_groups",
                        summary="groups of channels with learned ranges, of one or of both signs")
    yield QuantizerSpec(name="quantformer_centre", options=CentreOptions, factory=".centre:quantformer_centre",
                        summary="one range with a learned centre and half-width")


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="src", options=RankConsistencyOptions, factory=".rank_consistency:RankConsistency",
                   summary="capacity-aware rank consistency with the attention maps of the teacher")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="quantformer", options=QuantformerOptions, factory=".method:Quantformer", trains=True,
        summary="group-wise activations with a searched assignment, rank consistency of attention",
        paper=Paper("Quantformer: Learning Extremely Low-Precision Vision Transformers",
                    "Ziwei Wang, Changyuan Wang, Xiuwei Xu, Jie Zhou, Jiwen Lu", "TPAMI", 2023,
                    "https://doi.org/10.1109/TPAMI.2022.3229313"),
        quantizes="weights and inputs of the linear layers of blocks; at 8 bits both products of attention and all "
                  "other layers",
        weight_bits=BitRange(1, 8), activation_bits=BitRange(2, 8), calibration_size=32,
        published=":published.csv", claims=":claims.toml",
        ablations={
            # Table 5.
            "without src": _TASK_ONLY,
            "without groups": {"granularity": "layer"},
            # Table 6; "without groups" is its layer-wise row.
            "channel-wise": {"granularity": "channel"},
            # Tables 1 to 3.
            "hinge": {"losses": ["task", "hinge"]},
            "other entropy ratio": _objective(p="other_entropy"),
            "exponential": _objective(p="exp"),
            "random p": _objective(p="random"),
            # Table 2: learned ranges alone.
            "pact": {"granularity": "layer", **_TASK_ONLY},
            # Table 4.
            **{f"p = {k}": _objective(p="const", k=k) for k in range(1, 6)},
            # Readings of the official code.
            "code's norm": _objective(p="const", norm="l2_flat"),
            "code's step": {"compat_code_step": True},
            "src in all stages": {"first_losses": ["task", "src"]},
            "attention at the run's bits": {"attention_bits": None},
            "static bins": {"assign": "static_bins"},
            "soft assignment": {"assign_final": "soft"},
        })
