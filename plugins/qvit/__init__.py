"""Q-ViT: learned bit-widths of heads, with a scale for every bit-width, under a BitOPs budget (2022)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, LossSpec, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import BitOpsOptions, QVitOptions, SwitchableOptions

_UNIFORM = {"bits": {"learn": False}}
_LAYER = {"bits": {"granularity": "layer"}}


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="switchable", options=SwitchableOptions, factory=".factory:switchable",
                        summary="learned bit-widths by head, with a learned scale for every bit-width")


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="bitops", options=BitOpsOptions, factory=".penalty:BitOpsPenalty",
                   summary="squared excess of the BitOPs over a budget, with a gradient to learned bit-widths")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="qvit", options=QVitOptions, factory=".method:QVit", trains=True,
        summary="bit-widths of heads and layers and their scales, all learned under a BitOPs budget",
        paper=Paper("Q-ViT: Fully Differentiable Quantization for Vision Transformer",
                    "Zhexin Li, Tong Yang, Peisong Wang, Jian Cheng", "arXiv", 2022,
                    "https://arxiv.org/abs/2201.07703"),
        quantizes="weights and inputs of all linear layers and convolutions, patch embedding and classifier "
                  "included, and all operands of attention products; not softmax, LayerNorm, GELU themselves, biases "
                  "and embeddings",
        weight_bits=BitRange(2, 8), activation_bits=BitRange(2, 8), calibration_size=64,
        published=":published.csv", claims=":claims.toml",
        ablations={
            # Table 1: LSQ+ is the same quantizer at the same bits everywhere.
            "uniform": _UNIFORM,
            # Table 3a, 3b; 3b compares without bits by head.
            "layer-wise bits": _LAYER,
            "layer-wise bits and one scale": {**_LAYER, "scale": {"switchable": False}},
            # Table 3c.
            "sigma 0.5": {"sigma": 0.5}, "sigma 0.7": {"sigma": 0.7}, "sigma 1": {"sigma": 1.0},
            # Section 4.4.
            "eta 0.01": {"eta": 0.01}, "eta 1": {"eta": 1.0},
            "fixed ends": {"first_last": "fixed"},
            # Fig. 2a and 2b.
            "mlp only": {"sensitivity": "mlp", "training": {"epochs": 100}},
            "mlp only but GELU": {"sensitivity": "gelu_fp", "training": {"epochs": 100}},
            "mlp only but layers": {"sensitivity": "fc_fp", "training": {"epochs": 100}},
            **{f"head {head} at 2 bits": {"sensitivity": "head", "sensitivity_head": head} for head in range(2)},
            # Readings of what the paper leaves open, and the official code's slices.
            "scale per head": {"scale": {"per_head": True}},
            "offsets everywhere": {"offset": {"all": True}},
            "no offset": {"offset": {"gelu": False}},
            "code's head axis": {"compat_head_axis": True},
            "lsq start": {"search": {"weights": "lsq", "activations": "lsq"}},
            "gaussian start": {"search": {"weights": "gaussian", "activations": "gaussian"}},
        })
