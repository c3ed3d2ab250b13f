"""The detection tasks from request to figures, at the mini scale, on made COCO folders and on real pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coco_sets import CATEGORY_IDS, content, write
from PIL import Image

from harness import DataError, TaskRequest, instrument
from harness.engine.workspace import adapters
from harness.registry import registry
from harness_tasks.detection.detectors import build, load
from harness_tasks.detection.resolve import resolve
from harness_tasks.detection.task import DetectionTask

_FOLDER = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
COCO = _FOLDER / "coco-mini"
real_coco = pytest.mark.skipif(not COCO.is_dir(), reason="set HARNESS_TEST_DATA to a folder with coco-mini/")


def task(name: str, **request: str) -> DetectionTask:
    return DetectionTask(resolve(TaskRequest(name, **request)))


def figures(subject: DetectionTask, model: Any, indices: list[int]) -> dict[str, float]:
    scorer = subject.scorer()
    with torch.inference_mode():
        for batch in subject.evaluation().batches(indices, 4):
            scorer.update(subject.forward(model, batch.inputs), batch)
    return dict(scorer.result().metrics)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A COCO folder of small real PNG pictures; the first of train has no object."""
    random = np.random.default_rng(0)
    for split, first, count in (("train", 100, 4), ("val", 1, 3)):
        listed = content(first, count)
        if split == "train":
            del listed["annotations"][0]
        write(tmp_path, split, listed)
        folder = tmp_path / f"{split}2017"
        folder.mkdir()
        for image in listed["images"]:
            noise = random.integers(0, 256, (image["height"], image["width"], 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / image["file_name"])
    return tmp_path


# The mini scale

@pytest.mark.parametrize(("name", "least"), [
    ("coco-maskrcnn", {"box_ap": 50, "mask_ap": 40}), ("coco-cascade-maskrcnn", {"box_ap": 50, "mask_ap": 40}),
    ("coco-detr", {"box_ap": 35})])
def test_shipped_models_find_the_digits(name: str, least: dict[str, float]) -> None:
    subject = task(name)
    found = figures(subject, subject.model(), list(range(48)))
    assert list(found)[:len(least)] == list(least)
    for metric, value in least.items():
        assert found[metric] >= value - 8  # of 48 scenes; the figures of all 500 are in weights/README.md


def test_scenes_reach_the_model_with_their_annotations() -> None:
    subject = task("coco-maskrcnn", weights="random")
    pool, evaluation = subject.pool(), subject.evaluation()
    assert (len(pool.ids), len(evaluation.ids)) == (512, 500)
    assert not set(pool.ids) & set(evaluation.ids)
    first, second = pool.batches([3, 1], 1)
    assert first.inputs["inputs"].shape == (1, 3, 128, 128)
    again = next(iter(pool.batches([1], 1)))
    assert torch.equal(second.inputs["inputs"], again.inputs["inputs"])
    truth = json.loads(subject._split("train").annotations.read_bytes())
    expected = sorted((a["category_id"] - 1, *a["bbox"]) for a in truth["annotations"] if a["image_id"] == 4)
    given = first.inputs["data_samples"][0].gt_instances
    found = sorted((label, x, y, right - x, bottom - y) for label, (x, y, right, bottom)
                   in zip(given.labels.tolist(), given.bboxes.tolist(), strict=True))
    assert found == expected
    picture = np.asarray(Image.open(subject._root / "train2017" / truth["images"][3]["file_name"]), dtype=np.float32)
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    assert np.allclose(first.inputs["inputs"][0].permute(1, 2, 0).numpy(), (picture - mean) / std, atol=1e-4)


# Checkpoints

@pytest.mark.parametrize("model", ["mask-rcnn_swin-t", "detr_r50"])
def test_checkpoint_in_mmdets_layout(tmp_path: Path, model: str) -> None:
    """As mmdet publishes them: weights under ``state_dict``, beside plain data; also into the instrumented model."""
    detector = build(model, 80, seed=1)
    weights = detector.state_dict()
    # Names as in the zoo's files.
    expected = {"mask-rcnn_swin-t": ("backbone.patch_embed.projection.weight",
                                     "backbone.stages.2.blocks.5.attn.w_msa.relative_position_bias_table",
                                     "backbone.stages.0.downsample.reduction.weight", "neck.fpn_convs.3.conv.weight",
                                     "rpn_head.rpn_cls.weight", "roi_head.bbox_head.shared_fcs.0.weight",
                                     "roi_head.bbox_head.fc_reg.bias", "roi_head.mask_head.upsample.weight"),
                "detr_r50": ("backbone.layer4.2.conv3.weight", "neck.convs.0.conv.weight",
                             "encoder.layers.5.self_attn.attn.in_proj_weight",
                             "decoder.layers.0.cross_attn.attn.out_proj.bias", "query_embedding.weight",
                             "bbox_head.reg_ffn.layers.0.0.weight", "bbox_head.fc_cls.weight")}[model]
    assert set(expected) <= set(weights)
    path = tmp_path / "zoo.pth"
    torch.save({"meta": {"dataset_meta": {"CLASSES": ("person",)}, "epoch": 36}, "state_dict": weights}, path)
    other = build(model, 80, seed=2)
    instrumented = instrument(other, adapters(registry()))
    assert set(instrumented.model.state_dict()) == set(weights)
    load(instrumented.model, path)
    for name, tensor in instrumented.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_checkpoint_for_other_classes(tmp_path: Path, pictures: Path) -> None:
    path = tmp_path / "ten.pth"
    torch.save(build("detr_mini", 20).state_dict(), path)
    with pytest.raises(DataError, match=r"fc_cls\.weight is \(21, 96\) in the file and \(11, 96\) in the model"):
        task("coco-detr", weights=str(path)).model()


def test_a_runners_checkpoint_with_its_logs(tmp_path: Path) -> None:
    from mmengine.logging import MessageHub

    hub = MessageHub.get_instance("test_a_runners_checkpoint")
    hub.update_scalar("train/loss", 0.5)
    detector = build("detr_mini", 10, seed=1)
    torch.save({"state_dict": detector.state_dict(), "message_hub": hub.state_dict(), "meta": {"epoch": 1}},
               tmp_path / "epoch_1.pth")
    other = build("detr_mini", 10, seed=2)
    load(other, tmp_path / "epoch_1.pth")
    assert all(torch.equal(tensor, detector.state_dict()[name]) for name, tensor in other.state_dict().items())


# Made pictures at full scale: the full-size DETR is quick on small ones

def test_annotated_pictures_calibrate_and_all_are_evaluated(pictures: Path) -> None:
    subject = task("coco-detr", data=str(pictures), weights="random")
    assert subject.batch_size == 1
    assert list(subject.pool().ids) == [f"train2017/{number:012}.jpg" for number in (101, 102, 103)]
    assert len(subject.evaluation().ids) == 3
    batch = next(iter(subject.evaluation().batches([0], 1)))
    assert batch.inputs["inputs"].shape == (1, 3, 800, 1067)  # mmdet's test size for 64 x 48
    assert batch.inputs["data_samples"][0].gt_instances.labels.tolist() == [CATEGORY_IDS.index(CATEGORY_IDS[1])]


def test_a_picture_that_cannot_be_decoded(pictures: Path) -> None:
    subject = task("coco-detr", data=str(pictures), weights="random")
    (pictures / "val2017" / "000000000002.jpg").write_bytes(b"no picture" * 100)
    with pytest.raises(DataError, match="has changed since the run was planned"):
        subject.evaluation()
    subject = task("coco-detr", data=str(pictures), weights="random")
    with pytest.raises(DataError, match=r"val2017/000000000002\.jpg cannot be decoded"):
        list(subject.evaluation().batches([0, 1], 1))


def test_a_picture_without_objects(pictures: Path) -> None:
    listed = json.loads((pictures / "annotations" / "instances_val2017.json").read_text())
    write(pictures, "val", listed | {"annotations": listed["annotations"][1:]})
    subject = task("coco-detr", data=str(pictures), weights="random")
    scorer = subject.scorer()
    batch = next(iter(subject.evaluation().batches([0], 1)))
    assert len(batch.inputs["data_samples"][0].gt_instances.labels) == 0
    scorer.update([], batch)
    assert scorer.result().metrics["box_ap"] == 0.0


@pytest.mark.parametrize("size", [(3, 5), (20, 9)])
def test_pictures_smaller_than_a_window(size: tuple[int, int]) -> None:
    """Swin pads to its window of 7 patches; quantizable twins do the same."""
    detector = build("mask-rcnn_swin-t", 80).eval()
    inputs = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected = detector.backbone(inputs)
        found = instrument(detector, adapters(registry())).model.backbone(inputs)
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


# Real pictures, real annotations, full-size models with random weights: the whole pipeline

@real_coco
@pytest.mark.parametrize(("name", "methods"), [("coco-maskrcnn", "minmax"), ("coco-detr", "minmax,igqvit,ptqvit")])
def test_the_full_pipeline_on_real_coco(tmp_path: Path, name: str, methods: str) -> None:
    command = [sys.executable, "-c", "from harness.cli import main; main()", "run", "--methods", methods,
               "--task", name, "--data", str(COCO), "--weights", "random", "--bits", "6/6", "--limit", "1",
               "--calibration", "1", "--results", str(tmp_path), "--threads", "1"]
    for method in methods.split(",")[1:]:
        command += ["--set", {"igqvit": "igqvit.search.alloc=uniform", "ptqvit": "ptqvit.search.candidates=3"}[method]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RANDOM weights" in done.stdout.replace("\n", " ")
    records = [json.loads(path.read_text()) for path in tmp_path.glob("records/*/*.json")]
    assert len(records) == 1 + len(methods.split(","))
    for record in records:
        assert record["status"] == "ok"
        assert record["coverage"]["macs_outside_sites"] == 0, record["coverage"]["outside_sites"]
        assert record["metrics"]["box_ap"] < 5


# The command the project is known by, cut short

@pytest.mark.parametrize("name", ["coco-maskrcnn", "coco-cascade-maskrcnn", "coco-detr"])
def test_two_methods_at_the_mini_scale(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-c", "from harness.cli import main; main()", "run", "--methods", "igqvit,ptqvit",
               "--task", name, "--bits", "8/8", "--limit", "24", "--calibration", "4", "--results", str(tmp_path),
               "--threads", "1", "--set", "igqvit.search.groups_set=[8]", "--set", "igqvit.search.iterations=80",
               "--set", "ptqvit.search.candidates=8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("MINI scale: scenes of handwritten digits")
    records = {record["asked"]["method"]: record for record in (
        json.loads(path.read_text()) for path in tmp_path.glob("records/*/*.json"))}
    full = records.pop("full_precision")["metrics"]["box_ap"]
    assert full > 60
    for method, record in records.items():
        assert record["metrics"]["box_ap"] > full - 8, method
        coverage = record["coverage"]
        assert coverage["macs_outside_sites"] == 0
        assert coverage["full_precision"] == []
        # DETR's queries are read straight out of their table, which no operation looks up.
        assert coverage["not_run"] == (["query_embedding"] if name == "coco-detr" else [])
