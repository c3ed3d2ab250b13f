"""LSQ: what is placed where, where scales start, and that training learns them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from baseline_cases import case, run_method

from harness import Bits, Context, LearnedUniform, Method, OptionError, TrainingOptions
from harness.options import resolve
from harness.registry import registry
from harness.testing.tiny_vit import tiny_vit
from harness.testing.toy import toy_context
from harness.testing.training import TrainingConformance
from harness.training.optimizer import make_optimizer


def lsq(**options: Any) -> Method[Any]:
    spec = registry().methods["lsq"]
    return registry().component(spec)(resolve(spec.options, options, "method lsq"))


def ready(bits: Bits, budget: str = "steps=2", **options: Any) -> tuple[Context, Method[Any]]:
    method, context = lsq(**options), toy_context(bits, budget=budget)
    method.place(context)
    method.calibrate(context)
    return context, method


def learned(context: Context, path: str) -> LearnedUniform:
    quantizer = context.model.quantizer(path)
    assert isinstance(quantizer, LearnedUniform)
    return quantizer


class TestLsq(TrainingConformance):
    method = "lsq"


def test_every_site_but_embeddings_has_a_scale_and_the_ends_have_eight_bits() -> None:
    context, _ = ready(Bits(3, 2))
    model = context.model
    eight = {path for path, quantizer in model.quantizers.items() if quantizer.describe()["bits"] == 8}
    assert eight == {"stem.weight", "stem.input", "head.weight", "head.input"}
    for path, site in model.sites.items():
        quantizer = learned(context, path)
        assert (quantizer.partition.granularity, quantizer.gradient_scale, quantizer.offset) == (
            "tensor", "numel", None)
        assert quantizer.scheme == ("unsigned" if site.role == "attention" or path.endswith("fc2.input")
                                    else "symmetric"), path
        if path not in eight:
            assert quantizer.describe()["bits"] == (3 if site.is_weight else 2), path


def test_the_ends_can_have_the_bits_of_the_others() -> None:
    context, _ = ready(Bits(3, 2), stem_bits=None, head_bits=None)
    assert {quantizer.describe()["bits"] for quantizer in context.model.quantizers.values()} == {2, 3}
    context, _ = ready(Bits(3, 2), stem_bits=5, head_bits=6)
    bits = [context.model.quantizer(path).describe()["bits"]
            for path in ("stem.weight", "stem.input", "head.weight", "head.input")]
    assert bits == [5, 5, 6, 6]


def test_embeddings_stay_in_full_precision() -> None:
    model = run_method("lsq", case("transformer"))
    bits = {site.role: model.quantizer(path).describe()["bits"] for path, site in model.sites.items()}
    assert bits["patch_embed"] == bits["head"] == 8
    assert bits["qkv"] == bits["attention"] == 4


def test_scales_start_at_twice_the_mean_magnitude_over_the_root_of_the_largest_integer() -> None:
    context, _ = ready(Bits(4, 4))
    weight = context.model.operation("blocks.0.fc1").get_parameter("weight").detach()
    expected = 2 * float(weight.abs().mean()) / math.sqrt(7)
    assert float(learned(context, "blocks.0.fc1.weight").scale.detach()) == pytest.approx(expected)
    pictures = next(context.calibration.batches(size=4))
    expected = 2 * float(pictures.abs().mean()) / math.sqrt(127)
    assert float(learned(context, "stem.input").scale.detach()) == pytest.approx(expected)


def test_scales_and_weights_are_trained_and_only_weights_decay() -> None:
    context, method = ready(Bits(2, 2), training={"learning_rate": 1e-3, "batch_size": 8})
    before = {name: tensor.clone() for name, tensor in context.model.state_dict().items()}
    (stage,) = method.stages(context)  # type: ignore[attr-defined]
    decay = {group["name"]: group["weight_decay"] for group in make_optimizer(context.model, stage).param_groups}
    assert decay == {"weights": 0.05, "others": 0, "scales": 0}
    method.train(context)
    changed = {name for name, tensor in context.model.state_dict().items() if not torch.equal(tensor, before[name])}
    scales = {name for name in before if name.endswith(".scale")}
    assert len(scales) == len(context.model.sites)
    assert scales <= changed
    assert any(name.endswith("qkv.weight") for name in changed)
    assert context.notes["training"][0]["steps"] == 2


def test_training_brings_the_quantized_model_back_to_its_teacher() -> None:
    context, method = ready(Bits(2, 2), budget="steps=60", losses=["kd"],
                            training={"learning_rate": 3e-3, "batch_size": 16})
    teacher = tiny_vit()
    pictures = next(context.calibration.batches(size=16))

    def distance() -> float:
        with torch.no_grad():
            return float(context.divergence(teacher(pictures), context.model.eval()(pictures)))

    before = distance()
    method.train(context)
    assert distance() < before / 4


@pytest.mark.parametrize("name", sorted(registry().methods["lsq"].ablations))
def test_every_ablation_trains(name: str) -> None:
    options = registry().methods["lsq"].ablations[name]
    context, method = ready(Bits(3, 3), **{**options, "training": {"batch_size": 4}})
    plain, _ = ready(Bits(3, 3))
    method.train(context)
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])
    described = {path: (quantizer.describe(), getattr(quantizer, "gradient_scale", ""))
                 for path, quantizer in context.model.quantizers.items()}
    same = described == {path: (quantizer.describe(), getattr(quantizer, "gradient_scale", ""))
                         for path, quantizer in plain.model.quantizers.items()}
    assert same != (name in ("no gradient scale", "signed hidden", "signed attention",
                             "first and last layer as the others"))


def test_the_schedule_is_q_vits() -> None:
    training: TrainingOptions = lsq().options.training
    assert (training.epochs, training.batch_size, training.learning_rate, training.final_learning_rate) == (
        300, 512, 5e-4, 0)
    assert (training.weight_decay, training.optimizer, training.schedule, training.warmup, training.mode) == (
        0.05, "adamw", "cosine", 0, "eval")


def test_an_unknown_option_names_its_neighbours() -> None:
    with pytest.raises(OptionError, match="attentoin"):
        lsq(attentoin="learned")
