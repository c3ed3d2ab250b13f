"""Detectors learn: views of training pictures, mmdet's losses, steps that repeat bit for bit, distillation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from coco_sets import CATEGORY_IDS, content, write
from PIL import Image
from torch import Tensor

from harness import Bits, Budget, Choice, Context, Stage, TaskRequest, TrainingOptions, View
from harness.engine.determinism import seed_everything
from harness.engine.measure import build_method
from harness.engine.workspace import Workspace
from harness.registry import registry
from harness.training.snapshot import Snapshots
from harness_tasks.detection import objective
from harness_tasks.detection.detectors import build
from harness_tasks.detection.resolve import resolve
from harness_tasks.detection.task import DetectionTask

TASKS = ("coco-maskrcnn", "coco-cascade-maskrcnn", "coco-detr")
_FOLDER = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
COCO = _FOLDER / "coco-mini"
real_coco = pytest.mark.skipif(not COCO.is_dir(), reason="set HARNESS_TEST_DATA to a folder with coco-mini/")
WIDTH, HEIGHT, WIDE, HIGH = 64, 48, 1067, 800  # of the made pictures, and as mmdet resizes them


def task(name: str, **request: str) -> DetectionTask:
    return DetectionTask(resolve(TaskRequest(name, **request)))


def silent(what: str, total: int) -> AbstractContextManager[Callable[..., None]]:
    return nullcontext(lambda text="": None)


@cache
def workspace(name: str, **request: str) -> Workspace:
    return Workspace(resolve(TaskRequest(name, **request)), registry(), "cpu", 8)


def context(place: Workspace, budget: str = "steps=2", snapshots: Snapshots | None = None) -> Context:
    generator = seed_everything(0)
    return Context(place.instrumented(), place.calibration(1, 0), Bits(4, 4), registry(), place.task.divergence,
                   generator, silent, trainer=place.trainer(Budget.parse(budget), 0, silent, snapshots))


def with_lsq(subject: Context, **options: Any) -> Context:
    spec = registry().methods["lsq"]
    method = build_method(spec, SimpleNamespace(chosen=options), registry())  # type: ignore[arg-type]
    method.place(subject)
    method.calibrate(subject)
    method.train(subject)
    return subject


@cache
def undisturbed(name: str) -> tuple[Context, dict[str, Tensor]]:
    """Two steps of ``lsq`` on the shipped small detector, and the weights after them."""
    trained = with_lsq(context(workspace(name)))
    return trained, {key: tensor.clone() for key, tensor in trained.model.state_dict().items()}


# Steps

@pytest.mark.parametrize("name", TASKS)
def test_every_part_of_a_detector_learns(name: str) -> None:
    trained, _ = undisturbed(name)
    notes = trained.notes["training"][0]
    assert np.isfinite(notes["loss"]).all()
    assert (notes["batch_size"], notes["samples"]) == (8, 512)
    stale = {key for key, parameter in trained.model.model.named_parameters()
             if parameter.grad is None or not parameter.grad.abs().sum()}
    # DETR's first decoder layer attends among queries that are still zero; cascades have an FPN level for far objects.
    assert not {key for key in stale if not key.startswith(("decoder.layers.0.self_attn.attn.v_proj",
                                                            "neck.fpn_convs.3"))}


@pytest.mark.parametrize("name", TASKS)
def test_an_interrupted_training_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    """Which shows, too, that two runs are alike: mmdet draws proposals with the global generator."""
    class Stopped(Exception):  # noqa: N818
        pass

    def stopping(what: str, total: int) -> AbstractContextManager[Callable[..., None]]:
        def advance(text: str = "") -> None:
            if what == "train" and next(steps) == 1:
                raise Stopped
        return nullcontext(advance)

    steps = iter(range(9))
    place = workspace(name)
    first = context(place, snapshots=Snapshots(tmp_path, "run", 0.0))
    first.trainer.progress = stopping  # type: ignore[union-attr]
    with pytest.raises(Stopped):
        with_lsq(first)
    assert torch.load(tmp_path / "0-train.pt", weights_only=True)["step"] == 1
    second = context(place, snapshots=Snapshots(tmp_path, "run", 0.0))
    torch.rand(100)
    found, (_, expected) = with_lsq(second).model.state_dict(), undisturbed(name)
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in found.items())


@pytest.mark.parametrize("name", TASKS)
def test_the_objective_is_mmdets_and_its_response_the_models(name: str) -> None:
    subject = workspace(name).task
    model = workspace(name).instrumented().eval()
    batch = subject.training().batch([View(0), View(5)])
    torch.manual_seed(3)
    loss, response = subject.objective(model, batch)
    torch.manual_seed(3)
    parts = model(batch.inputs["inputs"], batch.inputs["data_samples"], mode="loss")
    expected = sum(one.item() for key, part in parts.items() if "loss" in key
                   for one in (part if isinstance(part, list) else [part]))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert callable(response) == (name != "coco-detr")
    with torch.no_grad():
        own = subject.response(model, batch.inputs)
        assert subject.divergence(own, response() if callable(response) else response).item() == 0.0


@pytest.mark.parametrize("name", TASKS)
def test_pictures_without_objects_have_a_loss(name: str) -> None:
    subject, model = workspace(name).task, workspace(name).instrumented()
    batch = subject.training().batch([View(0)])
    sample = batch.inputs["data_samples"][0]
    sample.gt_instances = sample.gt_instances[:0]
    subject.objective(model, batch)[0].backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_no_stage_of_a_backbone_is_frozen() -> None:
    """mmdet freezes ResNet's first stages whenever it is put into training mode."""
    detector = build("detr_r50", 80).requires_grad_(True).train()
    assert all(parameter.requires_grad for parameter in detector.parameters())


# Distillation

@pytest.mark.parametrize("name", TASKS)
def test_a_detector_learns_from_its_teachers_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = objective.response_on
    monkeypatch.setattr(objective, "response_on", lambda *given: asked.append(1) or original(*given))
    training = TrainingOptions(learning_rate=1e-6, mode="eval")
    subject = context(workspace(name), "steps=1")
    subject.train(Stage("labels", training, [Choice(name="task")]))
    assert not asked  # nobody compares answers, so nothing runs the heads on fixed regions
    subject = context(workspace(name), "steps=1")
    subject.train(Stage("same", training, [Choice(name="kd")]))
    assert subject.notes["training"][0]["loss"] == [pytest.approx(0.0, abs=1e-9)]
    trained = with_lsq(context(workspace(name), "steps=1"), losses=[{"name": "kd"}, {"name": "kd"}])
    assert len(asked) == (0 if name == "coco-detr" else 2)  # once a step, however many losses ask
    assert trained.notes["training"][0]["loss"][0] > 0.01
    reached = {key.partition(".")[0] for key, parameter in trained.model.model.named_parameters()
               if parameter.grad is not None and parameter.grad.abs().sum()}
    assert reached == ({"backbone", "neck", "encoder", "decoder", "query_embedding", "bbox_head"}
                       if name == "coco-detr" else {"backbone", "neck", "roi_head"})


# Views

@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A COCO folder of small PNG pictures; each has an object, and the second of train a crowd."""
    random = np.random.default_rng(0)
    for split, first, count in (("train", 100, 3), ("val", 1, 2)):
        listed = content(first, count)
        if split == "train":
            listed["annotations"].append({
                "id": 900, "image_id": 101, "category_id": 7, "iscrowd": 1, "bbox": [0, 0, 1, HEIGHT], "area": HEIGHT,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT, (WIDTH - 1) * HEIGHT]}})
        write(tmp_path, split, listed)
        folder = tmp_path / f"{split}2017"
        folder.mkdir()
        for image in listed["images"]:
            noise = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / image["file_name"])
    return tmp_path


def mirroring_seed(subject: Any, plain: Tensor) -> int:
    return next(seed for seed in range(99)
                if not torch.equal(subject.batch([View(1, seed)]).inputs["inputs"], plain))


def scaled_mask(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A rectangle of the original picture in the resized one, pixel by pixel."""
    rows = [top <= int(y * HEIGHT / HIGH) < bottom for y in range(HIGH)]
    columns = [left <= int(x * WIDTH / WIDE) < right for x in range(WIDE)]
    return np.outer(rows, columns)


def test_annotations_are_in_the_frame_of_the_resized_picture(pictures: Path) -> None:
    subject = task("coco-maskrcnn", data=str(pictures), weights="random")
    for samples in (subject.training().batch([View(1)]), next(iter(subject.pool().batches([1], 1)))):
        sample = samples.inputs["data_samples"][0]
        assert samples.inputs["inputs"].shape == (1, 3, HIGH, 1088)  # padded to a multiple of 32
        listed = json.loads((pictures / "annotations" / "instances_train2017.json").read_text())["annotations"]
        (own,) = (one for one in listed if one["image_id"] == 101 and not one["iscrowd"])
        left, top, width, height = own["bbox"]
        expected = [left * WIDE / WIDTH, top * HIGH / HEIGHT, (left + width) * WIDE / WIDTH,
                    (top + height) * HIGH / HEIGHT]
        assert sample.gt_instances.bboxes[0].tolist() == pytest.approx(expected, rel=1e-5)
        assert sample.gt_instances.labels.tolist() == [CATEGORY_IDS.index(own["category_id"])]
        mask = scaled_mask(left, top, left + width, top + height)
        assert (sample.gt_instances.masks.masks[0] == mask).mean() > 0.9999
        assert sample.ignored_instances.labels.tolist() == [CATEGORY_IDS.index(7)]


def test_a_mirrored_view(pictures: Path) -> None:
    subject = task("coco-maskrcnn", data=str(pictures), weights="random").training()
    plain = subject.batch([View(1)])
    seed = mirroring_seed(subject, plain.inputs["inputs"])
    view = subject.batch([View(1, seed)])
    assert torch.equal(view.inputs["inputs"][..., :WIDE], plain.inputs["inputs"][..., :WIDE].flip(-1))
    assert not view.inputs["inputs"][..., WIDE:].any()
    given, before = view.inputs["data_samples"][0], plain.inputs["data_samples"][0]
    for found, expected in ((given.gt_instances, before.gt_instances),
                            (given.ignored_instances, before.ignored_instances)):
        (left, top, right, bottom), = expected.bboxes.tolist()
        assert found.bboxes[0].tolist() == pytest.approx([WIDE - right, top, WIDE - left, bottom])
        assert torch.equal(found.labels, expected.labels)
        assert np.array_equal(found.masks.masks, expected.masks.masks[:, :, ::-1])
    assert given.ignored_instances.bboxes[0].tolist() == pytest.approx([WIDE - WIDE / WIDTH, 0, WIDE, HIGH], abs=0.01)


def test_about_half_of_the_seeds_mirror_and_nothing_global_is_drawn(pictures: Path) -> None:
    subject = task("coco-detr", data=str(pictures), weights="random").training()
    plain = subject.batch([View(1)]).inputs["inputs"]
    before = np.random.get_state(legacy=True)[1].tolist(), torch.get_rng_state()
    views = [View(1, seed) for seed in range(40)]
    with ThreadPoolExecutor(1) as pool:  # as training loads them
        loaded = [subject.batch([view]).inputs["inputs"] for view in views]
        again = [pool.submit(subject.batch, [view]).result().inputs["inputs"] for view in reversed(views)]
    assert np.random.get_state(legacy=True)[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert all(torch.equal(one, other) for one, other in zip(loaded, reversed(again), strict=True))
    assert 10 <= sum(not torch.equal(one, plain) for one in loaded) <= 30


def test_digits_are_never_mirrored() -> None:
    samples = workspace("coco-detr").task.training()
    plain = samples.batch([View(7), View(2)])
    for seed in range(8):
        view = samples.batch([View(7, seed), View(2, seed)])
        assert torch.equal(view.inputs["inputs"], plain.inputs["inputs"])


# Scores on training samples

def test_scores_are_those_of_the_scored_training_pictures() -> None:
    subject = workspace("coco-maskrcnn").task
    samples = subject.training()
    perfect, other = subject.training_scorer(), subject.scorer()
    for index in (4, 300):
        batch = samples.batch([View(index)])
        sample = batch.inputs["data_samples"][0]
        sample.pred_instances = type(sample.gt_instances)(
            bboxes=sample.gt_instances.bboxes, labels=sample.gt_instances.labels,
            scores=torch.ones(len(sample.gt_instances.labels)),
            masks=torch.from_numpy(sample.gt_instances.masks.masks))
        perfect.update([sample], batch)
        other.update([sample], batch)  # pictures of val have the same numbers
    found = perfect.result().metrics
    assert (found["box_ap"], found["mask_ap"]) == (pytest.approx(100.0), pytest.approx(100.0))
    assert other.result().metrics["box_ap"] < 30


def test_searches_see_the_average_precision_of_training_pictures() -> None:
    found = context(workspace("coco-maskrcnn")).score(16).metrics
    assert list(found)[:2] == ["box_ap", "mask_ap"]
    assert found["box_ap"] > 50


# Full size

@real_coco
def test_a_full_size_step_on_a_real_picture() -> None:
    trained = with_lsq(context(workspace("coco-maskrcnn", data=str(COCO), weights="random"), "steps=1"),
                       losses=[{"name": "task"}, {"name": "kd"}])
    notes = trained.notes["training"][0]
    assert np.isfinite(notes["loss"]).all()
    assert (notes["batch_size"], notes["samples"]) == (1, 340)
    reached = {key.partition(".")[0] for key, parameter in trained.model.model.named_parameters()
               if parameter.grad is not None and parameter.grad.abs().sum()}
    assert reached == {"backbone", "neck", "rpn_head", "roi_head"}
