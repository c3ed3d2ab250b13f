"""Multi-crop distillation: what is stored of a teacher's answers, where, and that the teacher is asked once only."""

from __future__ import annotations

import math
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import Batch, Bits, Choice, Context, QuantizationError, Seen, Stage, Step, TrainingOptions, View
from harness.testing.toy import Noise, NoiseBatch, toy_context
from harness_plugins.variation import label_store
from harness_plugins.variation.distillation import MultiCropDistillation
from harness_plugins.variation.label_key import label_key
from harness_plugins.variation.label_store import LARGEST_BANK, LabelStore
from harness_plugins.variation.options import LabelType, MultiCropOptions, VariationTraining
from harness_plugins.variation.soft_labels import decode, encode

TRAINING = VariationTraining(batch_size=8, crop_bank=3, crops=2, learning_rate=1e-3)
LABEL_TYPES: list[LabelType] = ["marginal_smoothing_top5", "full"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def probabilities(rows: int = 6, classes: int = 12) -> Tensor:
    return torch.softmax(3 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(0)), dim=1)


# Soft labels


@pytest.mark.parametrize("label_type", LABEL_TYPES)
@pytest.mark.parametrize("classes", [2, 5, 6, 12, 1000])
def test_labels_sum_to_one_and_keep_the_largest(label_type: LabelType, classes: int) -> None:
    original = probabilities(classes=classes)
    labels = decode(*encode(original, label_type), classes)
    torch.testing.assert_close(labels.sum(1), torch.ones(6))
    top = original.topk(min(5, classes), dim=1).indices
    torch.testing.assert_close(labels.gather(1, top), original.gather(1, top), rtol=2e-3, atol=1e-4)


def test_what_the_largest_leave_is_spread_evenly() -> None:
    original = probabilities()
    labels, kept = decode(*encode(original, "marginal_smoothing_top5"), 12), original.topk(5, dim=1)
    rest = labels.scatter(1, kept.indices, 0)
    assert bool(((rest > 0).sum(1) == 7).all())
    expected = (1 - kept.values.sum(1)) / 7
    torch.testing.assert_close(rest.amax(1), expected, rtol=0.01, atol=1e-4)
    torch.testing.assert_close(rest.sum(1), 7 * rest.amax(1))


def test_all_labels_are_the_original() -> None:
    original = probabilities()
    torch.testing.assert_close(decode(*encode(original, "full"), 12), original, rtol=2e-3, atol=1e-6)


def test_a_rounded_sum_above_one_leaves_nothing() -> None:
    labels = decode(torch.tensor([[0.7002, 0.3003]]).half(), torch.tensor([[1, 0]]), 4)
    assert labels[0, 2:].tolist() == [0, 0]
    assert labels.sum().item() == pytest.approx(1)


# The store


def store(key: str = "key", samples: int = 4, classes: int = 10, count: int = 5) -> LabelStore:
    return LabelStore(key, samples, classes, count)


def label(number: int, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return np.full((1, count), number / 64, "f2"), np.full((1, count), number, "i8")


VIEWS = [View(0), View(3), View(0, 0), View(1, 0), View(0, 1), View(3, LARGEST_BANK - 1)]


def test_every_view_has_its_own_place() -> None:
    first = store()
    for number, view in enumerate(VIEWS):
        first.write([view], *label(number))
    for opened in (first, store()):
        labels, found = opened.read([*VIEWS, View(2, 7)])
        assert found.tolist() == [True] * len(VIEWS) + [False]
        assert labels["order"][:6, 0].tolist() == list(range(6))
        assert labels["kept"][:6, 4].tolist() == [number / 64 for number in range(6)]
    assert not store("other").read(VIEWS)[1].any()


def test_views_that_do_not_come_again_are_not_kept() -> None:
    made, view = store(), View(0, LARGEST_BANK)
    assert made.write([view], *label(3))["order"].tolist() == [[3] * 5]
    assert not made.read([view])[1].any()


def test_many_classes() -> None:
    made = store(classes=100_000)
    made.write([View(0)], *label(99_999))
    assert made.read([View(0)])[0]["order"].tolist() == [[99_999] * 5]


def test_a_torn_label_counts_as_missing(tmp_path: Path) -> None:
    store().write(VIEWS[:2], np.ones((2, 5)), np.ones((2, 5)))
    (path,) = tmp_path.rglob("key")
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert store().read(VIEWS[:2])[1].tolist() == [False, True]
    path.write_bytes(content[:-1])
    assert not store().read(VIEWS[:2])[1].any()


def test_without_a_cache_folder_labels_last_for_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(label_store, "cache_folder", lambda name: None)
    made = store()
    made.write(VIEWS[:1], *label(2))
    assert made.read(VIEWS[:1])[1].all()
    assert not store().read(VIEWS[:1])[1].any()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["no room", "write fails"])
def test_a_full_disk_stops_nothing(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    made = store()
    if how == "no room":
        made._room = 5
    else:
        class Full:
            def seek(self, place: int) -> None: ...
            def write(self, content: bytes) -> None:
                raise OSError(28, "No space left on device")
        monkeypatch.setattr(made, "_file", Full())
    assert made.write(VIEWS[:1], *label(2))["order"].tolist() == [[2] * 5]
    assert made._room in (0, 5)


def _fill(first: int) -> None:
    made = store(samples=50)
    for number in range(first, 50):
        made.write([View(number, 1)], *label(number))


def test_two_processes_may_fill_one_store() -> None:
    workers = [multiprocessing.get_context("spawn").Process(target=_fill, args=(first,)) for first in (0, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    labels, found = store(samples=50).read([View(number, 1) for number in range(50)])
    assert found.all()
    assert labels["order"][:, 0].tolist() == list(range(50))


# What labels belong to


def test_the_key_names_teacher_samples_and_views(monkeypatch: pytest.MonkeyPatch) -> None:
    key = label_key(_trainer(toy_context(Bits(3, 3))), None)
    assert key == label_key(_trainer(toy_context(Bits(8, 4), seed=3)), None)
    fewer = label_key(_trainer(toy_context(Bits(3, 3), samples=8)), None)
    changed = _trainer(toy_context(Bits(3, 3)))
    with torch.no_grad():
        changed.teacher().model.head.bias[0] += 1e-6
    teacher = label_key(changed, None)
    picture = Noise._picture
    monkeypatch.setattr(Noise, "_picture", lambda self, index: picture(self, index).flip(-1))
    views = label_key(_trainer(toy_context(Bits(3, 3))), None)
    assert len({key, fewer, teacher, views}) == 4


def _trainer(context: Context) -> Any:
    return context.trainer


# The loss


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many views the teacher was asked for, call by call."""
    from harness import Trainer

    calls: list[int] = []
    original = Trainer.run_teacher

    def counted(self: Trainer, name: str | None, watched: Any, batch: Batch) -> Seen:
        calls.append(len(batch.inputs))
        return original(self, name, watched, batch)

    monkeypatch.setattr(Trainer, "run_teacher", counted)
    return calls


def trained(steps: int = 6, seed: int = 0, training: TrainingOptions = TRAINING, **options: Any) -> Context:
    context = toy_context(Bits(3, 3), seed, budget=f"steps={steps}")
    context.train(Stage("train", training, [Choice(name="mckd", options=options)]))
    return context


def test_with_stored_labels_there_is_no_forward_of_the_teacher(asked: list[int]) -> None:
    first = trained()
    computed = sum(asked)
    assert 0 < computed <= 16 * 3
    assert first.notes["soft_labels"] == {"computed": computed, "reused": 6 * 8 - computed}
    asked.clear()
    second = trained()
    assert asked == []
    assert second.notes["soft_labels"] == {"computed": 0, "reused": 48}
    states = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert first.notes["training"] == second.notes["training"]


def test_the_teacher_answers_for_new_views_only(asked: list[int]) -> None:
    trained(steps=2)
    before = sum(asked)
    asked.clear()
    trained(steps=3)
    assert len(asked) <= 1
    assert sum(asked) <= 8 < before


def test_over_many_epochs_each_view_is_asked_for_once(asked: list[int]) -> None:
    trained(steps=60)
    assert sum(asked) == 16 * 3
    assert asked[0] <= 8


def test_label_types_do_not_mix(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_plugins.variation.soft_labels.TOP", 3)  # of five classes
    trained()
    asked.clear()
    trained(label_type="full")
    assert asked
    asked.clear()
    trained()
    assert asked == []


def test_a_view_that_comes_twice_in_a_step_is_asked_for_once(asked: list[int]) -> None:
    context = toy_context(Bits(3, 3))
    loss = MultiCropDistillation(MultiCropOptions())
    loss.prepare(context)
    views = [View(0, 1), View(1, 1), View(0, 1)]
    labels = loss.labels(step(context, torch.zeros(3, 5), _trainer(context).load(views).inputs, views), 5)
    assert asked == [2]
    assert torch.equal(labels[0], labels[2])
    assert not torch.equal(labels[0], labels[1])


def test_new_views_every_time_are_never_stored(asked: list[int]) -> None:
    training = TRAINING.model_copy(update={"crop_bank": None})
    trained(training=training)
    assert sum(asked) == 48
    trained(training=training)
    assert sum(asked) == 96


def step(context: Context, outputs: Any, inputs: Any, views: list[View], teacher: Any = None) -> Step:
    return Step(context.model, NoiseBatch(inputs, torch.zeros(len(views), dtype=torch.int64)), views, outputs,
                torch.zeros(()), {}, 0, 0.0, teacher)


def test_one_crop_of_the_whole_picture_is_vanilla_distillation() -> None:
    context = toy_context(Bits(3, 3))
    loss = MultiCropDistillation(MultiCropOptions(label_type="full"))
    loss.prepare(context)
    views = [View(index) for index in range(4)]
    inputs = _trainer(context).load(views).inputs
    student = torch.randn(4, 5, requires_grad=True)
    value = loss(step(context, student, inputs, views))
    vanilla = context.registry.create(context.registry.losses, Choice(name="kd"))
    vanilla.prepare(context)
    answers = Seen(context.model(inputs).detach(), {})
    torch.testing.assert_close(value, vanilla(step(context, student, inputs, views, lambda batch: answers)),
                               rtol=1e-3, atol=1e-4)
    value.backward()
    assert student.grad is not None
    soft, given = torch.softmax(answers.outputs, 1), torch.softmax(student.detach(), 1)
    torch.testing.assert_close(student.grad, (given - soft) / 4, rtol=1e-2, atol=1e-4)


def test_the_teachers_own_answer_costs_its_entropy() -> None:
    context = toy_context(Bits(3, 3))
    loss = MultiCropDistillation(MultiCropOptions(label_type="full"))
    loss.prepare(context)
    views = [View(index, 1) for index in range(3)]
    inputs = _trainer(context).load(views).inputs
    logits = context.model(inputs).detach()
    entropy = -(torch.softmax(logits, 1) * torch.log_softmax(logits, 1)).sum(1).mean()
    assert loss(step(context, logits, inputs, views)).item() == pytest.approx(entropy.item(), rel=1e-3)


@pytest.mark.parametrize(("outputs", "message"), [
    ([{"boxes": 1}], "does not have"), (torch.zeros(1, 7), "teacher knows 5 classes, the model 7")])
def test_what_has_no_such_labels_is_said(outputs: Any, message: str) -> None:
    context = toy_context(Bits(3, 3))
    loss = MultiCropDistillation(MultiCropOptions())
    loss.prepare(context)
    views = [View(0, 0)]
    with pytest.raises(QuantizationError, match=message):
        loss(step(context, outputs, _trainer(context).load(views).inputs, views))


def test_mixed_precision_does_not_reach_the_labels() -> None:
    context = toy_context(Bits(3, 3))
    loss = MultiCropDistillation(MultiCropOptions(label_type="full"))
    loss.prepare(context)
    views = [View(index, 2) for index in range(4)]
    inputs = _trainer(context).load(views).inputs
    with torch.autocast("cpu", torch.bfloat16):
        labels = loss.labels(step(context, torch.zeros(4, 5), inputs, views), 5)
    torch.testing.assert_close(labels, torch.softmax(context.model(inputs), 1).detach(), rtol=2e-3, atol=1e-4)


def test_the_method_hands_its_teacher_to_the_loss() -> None:
    from harness.options import resolve
    from harness.registry import registry

    spec = registry().methods["variation"]
    method = registry().component(spec)(resolve(spec.options, {"training": {"teacher": "big"}}, "method variation"))
    (stage,) = method.stages(toy_context(Bits(3, 3)))
    assert [(loss.name, loss.options) for loss in stage.losses] == [("mckd", {"teacher": "big"}), ("obr", {})]
    given = {"losses": [{"name": "mckd", "teacher": "other"}], "training": {"teacher": "big"}}
    method = registry().component(spec)(resolve(spec.options, given, "method variation"))
    assert next(iter(method.stages(toy_context(Bits(3, 3))))).losses[0].options == {"teacher": "other"}
    assert math.isclose(stage.training.warmup, 5 / 150)
