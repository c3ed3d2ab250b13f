"""What a stage does: it learns, sees sites and the teacher, and stops when it diverges."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection

import pytest
import torch
from torch import Tensor
from toy_method import TRAINING, Counter, trained

from harness import (
    Bits,
    Choice,
    InstrumentedModel,
    Loss,
    LossOptions,
    OptionError,
    QuantizationError,
    Seen,
    Stage,
    Step,
    TrainingOptions,
)
from harness.builtin import DistillationOptions
from harness.testing.toy import toy_context
from harness.training.losses import Distillation
from harness.training.watch import DivergenceWatch

TASK = Choice(name="task")


def test_it_learns_the_samples_by_heart() -> None:
    context = toy_context(Bits(8, 8), budget="steps=300")
    before = context.score(16).metrics["top1"]
    context.train(Stage("train", TrainingOptions(batch_size=16, learning_rate=1e-2), [TASK]))
    assert context.score(16).metrics["top1"] > max(60.0, before)
    notes = context.notes["training"][0]
    assert (notes["steps"], notes["batch_size"], notes["epochs"], notes["samples"]) == (300, 16, 300.0, 16)
    assert len(notes["loss"]) == 100
    assert notes["loss"][-1] < notes["loss"][0] / 2


def test_the_curve_is_the_mean_of_each_stretch() -> None:
    values = iter([3.0, 5.0, 1.0, 1.0])

    class Given(Loss[LossOptions]):
        def forward(self, step: Step) -> Tensor:
            return step.task_loss * 0 + next(values)

    context = toy_context(Bits(8, 8), budget="steps=4")
    context.train(Stage("train", TRAINING, [Given(LossOptions())]))
    assert context.notes["training"][0]["loss"] == [3.0, 5.0, 1.0, 1.0]


def test_same_seed_same_weights() -> None:
    first, second = (trained("steps=6").model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_monitors_see_every_step() -> None:
    context = trained("steps=6")
    assert [stage["counted"] for stage in context.notes["training"]] == [3, 3]


class Watching(Loss[LossOptions]):
    """Compares the attention maps of student and teacher, and keeps what it saw."""

    seen: list[Step]

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        return [path for path, site in model.sites.items() if site.role == "attention"]

    def forward(self, step: Step) -> Tensor:
        self.seen.append(step)
        return sum(((step.sites[path] - step.teacher.sites[path]) ** 2).mean() for path in step.sites)  # type: ignore[return-value]


def test_losses_see_sites_of_student_and_teacher() -> None:
    loss = Watching(LossOptions())
    loss.seen = []
    context = toy_context(Bits(8, 8), budget="steps=1")
    with torch.no_grad():
        next(iter(context.model.parameters())).mul_(1.5)
    context.train(Stage("train", TRAINING, [loss]))
    step = loss.seen[0]
    assert set(step.sites) == set(loss.watches(context.model)) != set()
    assert all(tensor.requires_grad for tensor in step.sites.values())
    assert not any(tensor.requires_grad for tensor in step.teacher.sites.values())
    assert not step.teacher.outputs.requires_grad
    assert all(tensor.sum(-1).allclose(torch.ones(())) for tensor in step.teacher.sites.values())


def test_the_teacher_is_not_run_for_losses_that_do_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    context = toy_context(Bits(8, 8), budget="steps=2")
    asked = []
    monkeypatch.setattr(type(context.trainer), "run_teacher", lambda *_: asked.append(1))
    context.train(Stage("train", TRAINING, [TASK]))
    assert not asked


def test_distillation_from_itself_is_its_entropy_and_has_no_gradient() -> None:
    context = toy_context(Bits(8, 8), budget="steps=1")
    before = {name: tensor.clone() for name, tensor in context.model.state_dict().items()}
    inputs = context.trainer.load(context.trainer.stream(Stage("s", TRAINING, [])).views(0)).inputs  # type: ignore[union-attr]
    probabilities = torch.softmax(context.model(inputs), -1)
    entropy = -(probabilities * probabilities.log()).sum(-1).mean().item()
    context.train(Stage("train", TRAINING.model_copy(update={"optimizer": "sgd", "weight_decay": 0.0}),
                        [Choice(name="kd")]))
    assert context.notes["training"][0]["loss"] == [pytest.approx(entropy, rel=1e-4)]
    assert all(torch.allclose(tensor, before[name], atol=1e-6) for name, tensor in context.model.state_dict().items())


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    class Broken(Loss[LossOptions]):
        def forward(self, step: Step) -> Tensor:
            return step.task_loss * math.nan

    context = toy_context(Bits(8, 8), budget="steps=3")
    with pytest.raises(QuantizationError, match="training diverged: the loss is nan at step 1 of 3") as error:
        context.train(Stage("train", TRAINING, [Broken(LossOptions())]))
    assert "learning rate" in error.value.remedy


def test_a_loss_that_climbs_ends_the_training() -> None:
    watch = DivergenceWatch()
    for _ in range(100):
        watch.update(2.0, "step 1")
    for _ in range(16):
        watch.update(100.0, "step 2")
    with pytest.raises(QuantizationError, match="rose from 2 to"):
        watch.update(100.0, "step 3")


def test_a_context_without_a_trainer_says_so() -> None:
    context = toy_context(Bits(8, 8))
    context.trainer = None
    with pytest.raises(OptionError, match="nothing to train with"):
        context.train(Stage("train", TRAINING, [TASK]))


def test_a_trial_leaves_this_model_alone() -> None:
    from harness.registry import registry

    spec = registry().methods["minmax"]
    method = registry().component(spec)(spec.options())
    context = toy_context(Bits(4, 4), budget="steps=2", method=method)
    weight = next(path for path, site in context.model.sites.items() if site.role == "fc1" and site.is_weight)
    before = {name: tensor.clone() for name, tensor in context.model.state_dict().items()}
    trial = context.trial({weight: 7})
    trial.train(Stage("train", TRAINING, [TASK]))
    assert trial.model.quantizer(weight).describe()["bits"] == 7
    assert {q.describe()["bits"] for path, q in trial.model.quantizers.items() if path != weight} == {4, 8}
    assert all(torch.equal(tensor, before[name]) for name, tensor in context.model.state_dict().items())
    assert "training" not in context.notes
    assert context.allocation == {}


def test_precision_bf16_trains() -> None:
    context = toy_context(Bits(8, 8), budget="steps=3")
    context.train(Stage("train", TRAINING.model_copy(update={"precision": "bf16"}), [TASK], monitors=[Counter()]))
    assert all(parameter.dtype == torch.float32 for parameter in context.model.parameters())
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])


class Hidden(Loss[LossOptions]):
    """Compares what blocks give, and keeps what it saw."""

    seen: list[Step]

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        return ["blocks.0", "blocks.1", "head.input"]

    def forward(self, step: Step) -> Tensor:
        self.seen.append(step)
        return sum(((step.sites[path] - step.teacher.sites[path]) ** 2).mean() for path in step.sites)  # type: ignore[return-value]


def test_losses_see_the_outputs_of_modules() -> None:
    loss = Hidden(LossOptions())
    loss.seen = []
    context = toy_context(Bits(8, 8), budget="steps=1")
    outputs: list[Tensor] = []
    context.model.model.get_submodule("blocks.1").register_forward_hook(lambda *call: outputs.append(call[2]))
    context.train(Stage("train", TRAINING, [loss]))
    (step,) = loss.seen
    assert set(step.sites) == {"blocks.0", "blocks.1", "head.input"}
    assert torch.equal(step.sites["blocks.1"], outputs[0])
    assert step.sites["blocks.0"].requires_grad
    assert torch.equal(step.teacher.sites["blocks.0"], step.sites["blocks.0"])


def test_a_place_that_the_model_does_not_have_is_named() -> None:
    class Elsewhere(Hidden):
        def watches(self, model: InstrumentedModel) -> Collection[str]:
            return ["blocks.7"]

    with pytest.raises(QuantizationError, match=r"a loss compares 'blocks\.7'"):
        toy_context(Bits(8, 8), budget="steps=1").train(Stage("train", TRAINING, [Elsewhere(LossOptions())]))


def test_a_stage_can_bring_its_own_teacher() -> None:
    loss = Hidden(LossOptions())
    loss.seen = []
    context = toy_context(Bits(8, 8), budget="steps=1")
    teacher = copy.deepcopy(context.model).requires_grad_(False)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.25)
    context.train(Stage("train", TRAINING, [loss], teacher=teacher))
    (step,) = loss.seen
    with torch.no_grad():
        assert torch.equal(step.teacher.outputs, teacher(step.batch.inputs))


def test_distillation_of_one_output_is_the_tasks_divergence() -> None:
    """The softmax of a single number is 1, whatever the teacher says."""
    loss = Distillation(DistillationOptions())
    context = toy_context(Bits(8, 8), budget="steps=1")
    context.divergence = lambda reference, outputs: (reference - outputs).square().mean()
    loss.prepare(context)
    seen = Step(context.model, None, (), torch.tensor([[1.0], [2.0]]), torch.zeros(()), {}, 0, 0.0,  # type: ignore[arg-type]
                lambda batch: Seen(torch.tensor([[1.0], [5.0]]), {}))
    assert loss(seen).item() == 4.5
