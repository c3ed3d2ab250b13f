"""BiT: binary BERT by elastic binarization and distillation in several steps (NeurIPS 2022)."""

from __future__ import annotations

from collections.abc import Iterable

from harness import BitRange, LossSpec, MethodSpec, Paper, QuantizerSpec, hookimpl

from .options import BinaryWeightOptions, BitOptions, ElasticOptions, HiddenOptions

#: Epochs of each step, sentences in a batch, peak learning rate (official code).
_SCHEDULES = {
    "glue-mnli": (6, 16, 2e-4), "glue-qqp": (6, 32, 2e-4), "glue-qnli": (10, 8, 2e-4), "glue-sst2": (10, 8, 1e-4),
    "glue-cola": (50, 16, 5e-4), "glue-stsb": (20, 8, 5e-4), "glue-mrpc": (20, 8, 5e-4), "glue-rte": (20, 8, 5e-4)}


@hookimpl
def harness_quantizers() -> Iterable[QuantizerSpec]:
    yield QuantizerSpec(name="binary_weight", options=BinaryWeightOptions, factory=".binary_weight:binary_weight",
                        summary="a weight's side of the mean, times its mean magnitude")
    yield QuantizerSpec(name="elastic", options=ElasticOptions, factory=".elastic:elastic",
                        summary="two values with a learned scale and shift, or more at more bits")


@hookimpl
def harness_losses() -> Iterable[LossSpec]:
    yield LossSpec(name="hidden", options=HiddenOptions, factory=".hidden_states:HiddenStates",
                   # A detector's head has as many regions as it finds, which are not the teacher's.
                   kinds=("classification", "language"),
                   summary="squared error of the hidden states: the embeddings' and every layer's output")


@hookimpl
def harness_methods() -> Iterable[MethodSpec]:
    yield MethodSpec(
        name="bit", options=BitOptions, factory=".method:Bit", trains=True,
        summary="binary BERT: elastic binarization, distilled in two steps",
        paper=Paper("BiT: Robustly Binarized Multi-distilled Transformer",
                    "Zechun Liu, Barlas Oguz, Aasish Pappu, Lin Xiao, Scott Yih, Meng Li, Raghuraman Krishnamoorthi, "
                    "Yashar Mehdad", "NeurIPS", 2022, "https://arxiv.org/abs/2205.13016"),
        quantizes="weights, inputs and attention operands of all layers but the classifier, and word embeddings; not "
                  "LayerNorm, softmax, biases, tables of positions and token types",
        weight_bits=BitRange(1, 1), activation_bits=BitRange(1, 2), embedding_bits=BitRange(1, 1),
        task_options={task: {"training": {"epochs": epochs, "batch_size": batch, "learning_rate": rate}}
                      for task, (epochs, batch, rate) in _SCHEDULES.items()},
        ablations={
            "one step": {"multistep": False},
            "no distillation": {"losses": ["task"]},
            "hidden states only": {"losses": ["hidden"]},
            "logits only": {"losses": ["kd"]},
            "labels too": {"losses": ["hidden", "kd", "task"]},
            "model's activation": {"activation": "model"},
            "no shift": {"activations": {"shift": False}},
            "signed everywhere": {"activations": {"scheme": "symmetric"}},
            "gradients unscaled": {"activations": {"gradient_scale": "off"}},
            "learned scales of weights": {"weights": {"scale": "learned"}},
            "one scale of embeddings": {"embeddings": {"granularity": "tensor"}},
            "binary classifier": {"scope": "all"},
        })
