"""The task from request to accuracy: models, checkpoints, metric, real data where there are some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from picture_sets import csv_set, picture, write
from safetensors.torch import save_file

from harness import DataError, QuantizationError, Samples, TaskRequest, UnknownNameError
from harness.registry import registry
from harness_tasks.classification.resolve import MINI_POOL, resolve
from harness_tasks.classification.samples import ImageBatch
from harness_tasks.classification.scorer import AccuracyScorer
from harness_tasks.classification.task import ClassificationTask

_FOLDER = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
real_data = pytest.mark.skipif(
    not (_FOLDER / "imagenet" / "val.csv").is_file(),
    reason="real pictures and weights needed: set HARNESS_TEST_DATA to a folder with imagenet/, weights/, cifar10/")


def task(**request: str) -> ClassificationTask:
    return ClassificationTask(resolve(TaskRequest(**request)))


def accuracy(subject: ClassificationTask, count: int) -> float:
    model, samples, scorer = subject.model(), subject.evaluation(), subject.scorer()
    with torch.inference_mode():
        for batch in samples.batches(range(count), 50):
            scorer.update(subject.forward(model, batch.inputs), batch)
    return scorer.result().metrics["top1"]


# The metric

def batch_of(targets: list[int]) -> ImageBatch:
    return ImageBatch(torch.zeros(len(targets), 3, 1, 1), torch.tensor(targets))


def test_accuracy_over_batches() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(40, 12), torch.randint(12, (40,))
    scorer = AccuracyScorer()
    for part in (slice(0, 7), slice(7, 40)):
        scorer.update(logits[part], batch_of(targets[part].tolist()))
    scores = scorer.result()
    right = [bool(row.argmax() == target) for row, target in zip(logits, targets, strict=True)]
    among = [target in row.topk(5).indices for row, target in zip(logits, targets, strict=True)]
    assert list(scores.metrics) == ["top1", "top5"]
    assert scores.metrics == {"top1": 100 * sum(right) / 40, "top5": 100 * sum(among) / 40}
    assert scores.per_sample == tuple(float(value) for value in right)


def test_equal_logits_rank_by_class_index() -> None:
    scorer = AccuracyScorer()
    scorer.update(torch.zeros(3, 10), batch_of([0, 4, 5]))
    assert scorer.result().per_sample == (1.0, 0.0, 0.0)
    assert scorer.result().metrics["top5"] == pytest.approx(200 / 3)


def test_nan_is_no_answer() -> None:
    scorer = AccuracyScorer()
    with pytest.raises(QuantizationError, match="NaN"):
        scorer.update(torch.tensor([[1.0, float("nan")]]), batch_of([0]))
    with pytest.raises(DataError, match="no sample"):
        scorer.result()


# The mini scale

def test_registered_and_complete() -> None:
    plugins = registry()
    for name in ("imagenet", "cifar10", "cifar100"):
        assert plugins.component(plugins.tasks[name]) is ClassificationTask
        assert all(plugins.tasks[name].models.values())
    for name in ("timm-attention", "timm-swin"):
        adapter = plugins.adapters[name]
        module, _, attribute = adapter.attention.rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute)
        assert callable(plugins.component(adapter))


@pytest.mark.parametrize(("name", "model", "classes"), [
    ("imagenet", "vit_mini", 10), ("cifar10", "swin_mini", 10), ("cifar100", "vit_mini_100", 100)])
def test_mini_end_to_end_with_random_weights(name: str, model: str, classes: int) -> None:
    subject = task(task=name, model=model, weights="random:5", scale="mini")
    pool, evaluation = subject.pool(), subject.evaluation()
    assert (len(pool.ids), len(evaluation.ids)) == (MINI_POOL, 4000)
    assert not set(pool.ids) & set(evaluation.ids)
    first, second = subject.model(), subject.model()
    assert not first.training
    batch = next(evaluation.batches([0, 9], 2))
    with torch.inference_mode():
        logits = first(batch.inputs)
        assert logits.shape == (2, classes)
        assert torch.equal(logits, second(batch.inputs)), "the seed decides"
        other = task(task=name, model=model, weights="random:6", scale="mini").model()
        assert not torch.equal(logits, other(batch.inputs))


def test_building_leaves_the_random_state_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    task(task="cifar10", weights="random:5", scale="mini").model()
    assert torch.equal(torch.rand(1), expected)


def test_shipped_weights_are_trained() -> None:
    assert accuracy(task(task="cifar10", scale="mini"), 100) >= 75.0


def test_own_weights_of_a_mini_model(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    random = task(task="cifar10", weights="random:5", scale="mini").model()
    save_file(random.state_dict(), path)
    loaded = task(task="cifar10", weights=str(path), scale="mini").model()
    assert all(torch.equal(value, random.state_dict()[name]) for name, value in loaded.state_dict().items())
    with pytest.raises(DataError, match="does not fit SwinTransformer"):
        task(task="cifar10", model="swin_mini", weights=str(path), scale="mini").model()


# The full scale, on made pictures

def test_full_end_to_end(tmp_path: Path) -> None:
    subject = task(task="cifar10", data=str(csv_set(tmp_path)), weights="random", model="vit_tiny_patch16_224")
    assert 0.0 <= accuracy(subject, 4) <= 100.0
    assert next(subject.pool().batches([0], 1)).inputs.shape == (1, 3, 224, 224)
    assert subject.model().num_classes == 10


def test_any_model_of_timm(tmp_path: Path) -> None:
    csv_set(tmp_path)
    subject = task(task="imagenet", data=str(tmp_path), weights="random", model="test_vit.r160_in1k")
    batch = next(subject.evaluation().batches([0, 1], 2))
    assert batch.inputs.shape == (2, 3, 160, 160)
    with torch.inference_mode():
        assert subject.model()(batch.inputs).shape == (2, 1000)
    listed = task(task="imagenet", data=str(tmp_path), weights="random")
    assert subject.resolved.fingerprint != listed.resolved.fingerprint


@pytest.mark.parametrize("name", ["deit_tinny_patch16_224", "deit_tiny_patch16_224.no_tag"])
def test_unknown_model_of_timm(tmp_path: Path, name: str) -> None:
    subject = task(task="imagenet", data=str(csv_set(tmp_path)), weights="random", model=name)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'deit_tiny_"):
        subject.model()


def test_checkpoint_of_another_model_is_recognised(tmp_path: Path) -> None:
    import timm

    csv_set(tmp_path / "data")
    save_file(timm.create_model("vit_tiny_patch16_224", num_classes=10).state_dict(), tmp_path / "w.safetensors")
    subject = task(task="cifar10", data=str(tmp_path / "data"), weights=str(tmp_path / "w.safetensors"),
                   model="deit_small_patch16_224")
    with pytest.raises(DataError, match=r"wrong shapes: .*\(1, 1, 192\) in the file and \(1, 1, 384\)") as caught:
        subject.model()
    assert caught.value.remedy == "It fits deit_tiny_patch16_224 or vit_tiny_patch16_224: use --model " \
        "deit_tiny_patch16_224"


def test_official_swin_checkpoint_is_renamed(tmp_path: Path) -> None:
    """Microsoft's files number the downsampling layers from the stage before, and keep buffers."""
    import timm

    csv_set(tmp_path / "data")
    model = timm.create_model("swin_tiny_patch4_window7_224", num_classes=10)
    official = {}
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if parts[0] == "layers" and parts[2] == "downsample":
            parts[1] = str(int(parts[1]) - 1)
        official[".".join(parts).replace("head.fc.", "head.")] = value
    official["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    official["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49)
    torch.save({"model": official}, tmp_path / "w.pth")
    loaded = task(task="cifar10", data=str(tmp_path / "data"), weights=str(tmp_path / "w.pth"),
                  model="swin_tiny_patch4_window7_224").model()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_data_that_changed_after_planning(tmp_path: Path) -> None:
    subject = task(task="cifar10", data=str(csv_set(tmp_path)), weights="random")
    write(tmp_path / "val" / "0.png", picture(0) + b" ")
    with pytest.raises(DataError, match=r"evaluation split .* has changed"):
        subject.evaluation()
    assert len(subject.pool().ids) == 6


# Real pictures

def first_targets(samples: Samples, count: int) -> list[int]:
    return next(iter(samples.batches(range(count), count))).targets.tolist()


@real_data
def test_deit_tiny_on_real_pictures() -> None:
    subject = task(task="imagenet", data=str(_FOLDER / "imagenet"),
                   weights=str(_FOLDER / "weights" / "deit_tiny_patch16_224.safetensors"))
    assert "1,290 pictures" in subject.resolved.notice
    assert 75.0 <= accuracy(subject, 100) <= 95.0


@real_data
def test_real_cifar10() -> None:
    subject = task(task="cifar10", data=str(_FOLDER / "cifar10"), weights="random")
    evaluation, pool = subject.evaluation(), subject.pool()
    assert (len(pool.ids), len(evaluation.ids)) == (10_000, 2_000)
    assert first_targets(evaluation, 3) == [0, 1, 2]
    assert next(iter(pool.batches([9_999, 17], 2))).inputs.isfinite().all()
