"""Quantization variation: module-dependent scales, multi-crop distillation, bin regularisation (TMLR 2024)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, LossSpec, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import BinOptions, ModuleDependentOptions, MultiCropOptions, VariationOptions

_ONE_CROP = {"crops": 1, "crop_bank": None}
_LAYER = {"granularity": "layer", "gradient_scale": "numel"}
#: Table 10: epochs, sentences in a batch, learning rate.
_SCHEDULES = {
    "glue-mnli": (6, 16, 2e-4), "glue-qqp": (6, 32, 2e-4), "glue-qnli": (20, 16, 2e-4), "glue-sst2": (40, 16, 2e-4),
    "glue-cola": (200, 64, 5e-4), "glue-stsb": (40, 16, 5e-4), "glue-mrpc": (40, 8, 5e-4), "glue-rte": (200, 32, 5e-4)}
_LANGUAGE = {"optimizer": "adamw", "schedule": "linear", "warmup": 0.1, "weight_decay": 0.01,
             "final_learning_rate": 0.0, **_ONE_CROP}
_PLUS = {"weights": _LAYER, "activations": _LAYER, "losses": ["task"], "training": _ONE_CROP}


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="module_dependent", options=ModuleDependentOptions, factory=".quantizer:module_dependent",
                        summary="a learned scale for each head of each attention module, gradients scaled by L1 norms")


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="mckd", options=MultiCropOptions, factory=".distillation:MultiCropDistillation",
                   kinds=("classification",),
                   summary="cross-entropy with the teacher's soft labels of fixed views, computed once and stored")
    yield LossSpec(name="obr", options=BinOptions, factory=".regularizer:BinRegularization",
                   summary="draws weights to the centres of their bins, against oscillation")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="variation", options=VariationOptions, factory=".method:Variation", trains=True,
        summary="learned scales by module and head, distillation from stored soft labels, bin regularisation",
        paper=Paper("Quantization Variation: A New Perspective on Training Transformers with Low-Bit Precision",
                    "Xijie Huang, Zhiqiang Shen, Pingcheng Dong, Tim Kwang-Ting Cheng", "TMLR", 2024,
                    "https://arxiv.org/abs/2307.00331"),
        quantizes="weights and inputs of all linear layers and convolutions, all operands of attention products, word "
                  "embeddings where asked; not the inputs of Swin's merging layers, BERT's classifier, LayerNorm, "
                  "softmax, biases and other embeddings",
        weight_bits=BitRange(1, 8), activation_bits=BitRange(1, 8), embedding_bits=BitRange(1, 8),
        # The paper binarizes language models only.
        kind_bits=dict.fromkeys(("classification", "detection"), (BitRange(2, 8), BitRange(2, 8))),
        calibration_size=64, published=":published.csv", claims=":claims.toml",
        task_options={
            task: {"losses": ["kd", "hidden", "obr"], "scope": "no_head", "first_last_bits": None,
                   "training": {**_LANGUAGE, "epochs": epochs, "batch_size": batch, "learning_rate": rate}}
            for task, (epochs, batch, rate) in _SCHEDULES.items()},
        ablations={
            # Tables 5 and 6.
            "w/o MCKD": {"losses": ["kd", "obr"], "training": _ONE_CROP},
            "w/o KD": {"losses": ["task", "obr"], "training": _ONE_CROP},
            "w/o MDQ": {"weights": _LAYER, "activations": _LAYER},
            "w/o OBR": {"losses": ["mckd"]},
            # Table 4: LSQ+ without and with distillation.
            "baseline": _PLUS, "baseline + KD": {**_PLUS, "losses": ["kd"]},
            # Table 7; the text's Table 6 has OBR at 4 bits too.
            "KURE": {"losses": ["mckd", "kure"]},
            "OBR to 1": {"losses": ["mckd", {"name": "obr", "weight": 1.0}]},
            "OBR to 0.01": {"losses": ["mckd", {"name": "obr", "weight": 0.01}]},
            "OBR at all bits": {"losses": ["mckd", {"name": "obr", "most_bits": 8}]},
            "OBR as printed": {"losses": ["mckd", {"name": "obr", "error": "l2norm", "min_count": 3}]},
            # Tables 1 and 9, whose method is LSQ+.
            **{f"except {name}": {**_PLUS, "leave_out": [name]} for name in ("ffn", "mhsa", "q", "k", "v")},
            **{f"only {name}": {**_PLUS, "only": [name]} for name in ("ffn", "mhsa", "q", "k", "v")},
            # Readings of what paper and code leave open.
            "scale per module": {"weights": {"granularity": "module"}, "activations": {"granularity": "module"}},
            "gradients unscaled": {"weights": {"gradient_scale": "off"}, "activations": {"gradient_scale": "off"}},
            "LSQ's activation gradients": {"activations": {"activation_gradient_scale": "lsq"}},
            "all labels": {"losses": [{"name": "mckd", "label_type": "full"}, "obr"]},
            "merging as elsewhere": {"merging": "run"},
            # Language models.
            "language w/o OBR": {"losses": ["kd", "hidden"]},
            "language w/o hidden states": {"losses": ["kd", "obr"]},
            "language w/o KD": {"losses": ["task", "obr"]},
            "binary w/o MDQ": {"binary_weights": {"granularity": "tensor", "scale": "mean"},
                               "binary_activations": {"granularity": "tensor", "gradient_scale": "numel"}},
            "binary gradients unscaled": {"binary_weights": {"gradient_scale": "off"},
                                          "binary_activations": {"gradient_scale": "off"}},
            "binary mean scales": {"binary_weights": {"scale": "mean"}},
        })
