"""BiT: what is placed where, ReLU for GELU, and training in two steps that goes on after a kill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from language_cases import LAYERS, WORDS, answers, language_context, method_of, run
from torch import nn

from harness import Bits, Context, Identity, OptionError, Quantizer, Stage
from harness.engine.plan import method_options
from harness.registry import registry
from harness.testing.training import TrainingConformance
from harness.training.optimizer import make_optimizer
from harness.training.snapshot import Snapshots
from harness_plugins.bit.binary_weight import BinaryWeight
from harness_plugins.bit.elastic import Elastic, ElasticSign
from harness_plugins.bit.method import Bit

ALL = Bits(1, 1, 1)


class TestBit(TrainingConformance):
    """On the tiny vision transformer; the blocks' outputs are its hidden states."""

    method = "bit"
    low: ClassVar[Bits] = Bits(1, 1)
    high: ClassVar[Bits] = Bits(1, 2)


def ready(bits: Bits = ALL, **options: Any) -> tuple[Context, Bit]:
    method = method_of("bit", options)
    assert isinstance(method, Bit)
    context = language_context(bits, method)
    method.place(context)
    method.calibrate(context)
    return context, method


def quantizers(context: Context, ending: str) -> list[Quantizer]:
    found = [quantizer for path, quantizer in context.model.quantizers.items() if path.endswith(ending)]
    assert found
    return found


# Placement


def test_everything_but_the_classifier_and_small_tables_is_binary() -> None:
    context, _ = ready()
    full = {path for path, quantizer in context.model.quantizers.items() if isinstance(quantizer, Identity)}
    assert full == {"classifier.weight", "classifier.input", "bert.embeddings.position_embeddings.weight",
                    "bert.embeddings.token_type_embeddings.weight"}
    assert all(quantizer.mean_bits == 1 for path, quantizer in context.model.quantizers.items() if path not in full)
    (pooler,) = quantizers(context, "pooler.dense.input")
    assert isinstance(pooler, ElasticSign)
    (words,) = quantizers(context, "word_embeddings.weight")
    assert isinstance(words, BinaryWeight)
    assert words.describe()["groups"] == WORDS
    for path, site in context.model.sites.items():
        if path not in full and not site.is_weight:
            unsigned = site.operand == "attention" or (path.endswith(".output.dense.input") and site.role == "fc2")
            assert isinstance(context.model.quantizer(path), Elastic if unsigned else ElasticSign), path


def test_word_embeddings_stay_where_no_bits_are_asked_for_them() -> None:
    context, _ = ready(Bits(1, 1))
    assert [type(each) for each in quantizers(context, "word_embeddings.weight")] == [Identity]


def test_the_student_has_relu_and_the_teacher_what_the_model_has() -> None:
    context, _ = ready()
    assert context.notes["relu_in_place_of_gelu"] == LAYERS

    def functions(model: nn.Module) -> set[str]:
        return {type(module.intermediate_act_fn).__name__ for module in model.modules()
                if hasattr(module, "intermediate_act_fn")}

    assert functions(context.model) == {"ReLU"}
    assert context.trainer is not None
    assert functions(context.trainer.teacher()) == {"GELUActivation"}
    as_it_is, _ = ready(activation="model")
    assert functions(as_it_is.model) == {"GELUActivation"}
    assert "relu_in_place_of_gelu" not in as_it_is.notes


# Steps


def test_the_second_step_starts_from_the_student_of_the_first_and_learns_from_it() -> None:
    context, method = ready()
    activations = [path for path, site in context.model.sites.items()
                   if not site.is_weight and context.model.quantizer(path).mean_bits < 32]
    stages = method.stages(context)
    first = next(iter(stages))
    assert {context.model.quantizer(path).mean_bits for path in activations} == {2}
    assert (first.teacher, first.share) == (None, 0.5)
    shifted = "bert.pooler.dense.input"
    before = context.model.quantizer(shifted)
    assert isinstance(before, Elastic)
    with torch.no_grad():  # stands for training
        before.get_parameter("shift.values").fill_(0.25)
        context.model.operation("bert.pooler.dense").get_parameter("weight").mul_(2)
    state = {name: tensor.clone() for name, tensor in context.model.state_dict().items()}
    second = next(iter(stages))
    assert {context.model.quantizer(path).mean_bits for path in activations} == {1}
    assert second.teacher is not None
    taught = second.teacher.state_dict()
    assert state.keys() == taught.keys()
    assert all(torch.equal(state[name], taught[name]) for name in state)
    assert {second.teacher.quantizer(path).mean_bits for path in activations} == {2}
    assert not any(parameter.requires_grad for parameter in second.teacher.parameters())
    after = context.model.quantizer(shifted)
    assert isinstance(after, ElasticSign)
    assert bool((after.get_parameter("shift.values") == 0.25).all())
    assert float(after.scale.detach()) != float(before.scale.detach())
    with torch.no_grad():
        context.model.operation("bert.pooler.dense").get_parameter("weight").zero_()
    assert bool(second.teacher.operation("bert.pooler.dense").get_parameter("weight").any())  # a copy
    assert list(stages) == []


@pytest.mark.parametrize(("bits", "options"), [(Bits(1, 2, 1), {}), (ALL, {"multistep": False})])
def test_one_step(bits: Bits, options: Mapping[str, Any]) -> None:
    context, method = ready(bits, **options)
    (stage,) = method.stages(context)
    assert (stage.share, stage.teacher) == (1.0, None)
    assert {each.mean_bits for each in quantizers(context, "self.query.input")} == {bits.activations}


def test_scales_have_a_learning_rate_of_their_own() -> None:
    context, method = ready(training={"learning_rate": 5e-4, "scale_learning_rate": 3e-5})
    stage: Stage = next(iter(method.stages(context)))
    rates = {group["name"]: (group["peak"], group["weight_decay"])
             for group in make_optimizer(context.model, stage).param_groups}
    assert rates == {"weights": (5e-4, 0.01), "others": (5e-4, 0), "scales": (3e-5, 0)}
    trained = dict(context.model.named_parameters())
    shifts = [parameter for name, parameter in trained.items() if name.endswith("shift.values")]
    others = next(group for group in make_optimizer(context.model, stage).param_groups if group["name"] == "others")
    assert all(any(parameter is each for each in others["params"]) for parameter in shifts)
    assert shifts


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_killed_training_goes_on_where_it_was(steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first step, between the two, in the second; with dropout and words of different lengths."""
    whole = run("bit", ALL, budget="steps=4")
    snapshots, write, written = Snapshots(tmp_path, "me", seconds=0.0), Snapshots.write, []

    def killing(self: Snapshots, key: str, content: Mapping[str, Any]) -> None:
        write(self, key, content)
        written.append(key)
        if len(written) == steps:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "write", killing)
        with pytest.raises(InterruptedError):
            run("bit", ALL, budget="steps=4", snapshots=snapshots)
    resumed = run("bit", ALL, budget="steps=4", snapshots=snapshots)
    assert [stage["stage"] for stage in resumed.notes["training"]] == ["two_bit_activations", "binary"]
    assert resumed.notes["training"] == whole.notes["training"]
    assert torch.equal(answers(resumed), answers(whole))


def test_distillation_lessens_the_distance_to_the_teacher() -> None:
    context = run("bit", ALL, budget="steps=60", training={"batch_size": 8, "learning_rate": 5e-3})
    for stage in context.notes["training"]:
        assert sum(stage["loss"][-5:]) < 0.9 * sum(stage["loss"][:5])


# Options


def test_schedules_of_the_tasks() -> None:
    spec = registry().methods["bit"]
    assert {task: tuple(given["training"].values()) for task, given in spec.task_options.items()} == {
        "glue-cola": (50, 16, 5e-4), "glue-mnli": (6, 16, 2e-4), "glue-mrpc": (20, 8, 5e-4), "glue-sst2": (10, 8, 1e-4),
        "glue-stsb": (20, 8, 5e-4), "glue-qqp": (6, 32, 2e-4), "glue-qnli": (10, 8, 2e-4), "glue-rte": (20, 8, 5e-4)}
    assert set(spec.task_options) <= set(registry().tasks)
    training = method_options(registry(), spec, spec.task_options["glue-rte"])["training"]
    assert (training["epochs"], training["warmup"], training["schedule"]) == (20, 0.1, "linear")


@pytest.mark.parametrize("ablation", sorted(registry().methods["bit"].ablations))
def test_every_ablation_trains(ablation: str) -> None:
    context = run("bit", ALL, **registry().methods["bit"].ablations[ablation])
    assert bool(torch.isfinite(answers(context)).all())


def test_unknown_options_are_refused() -> None:
    with pytest.raises(OptionError):
        method_of("bit", {"activation": "tanh"})
