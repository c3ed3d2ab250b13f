"""From a request to a concrete detection task."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from coco_sets import coco_set, content, write

from harness import DataError, TaskRequest, UnknownNameError, file_hash
from harness_tasks.detection import resolve as module
from harness_tasks.detection.families import FAMILIES
from harness_tasks.detection.known_models import KNOWN_MODELS, Checkpoint
from harness_tasks.detection.mini_models import MINI_MODELS
from harness_tasks.detection.resolve import resolve

DATA = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "coco-mini"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("HARNESS_COCO", raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return coco_set(tmp_path / "coco")


def test_mini_unless_coco_is_configured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = resolve(TaskRequest("coco-maskrcnn", weights="random"))
    assert (mini.scale, mini.model, mini.weights_hash, mini.published) == ("mini", "mask_rcnn_mini", "random:0", None)
    assert mini.notice == (
        "MINI scale: scenes of handwritten digits on cluttered 128x128 backgrounds; figures compare methods, not "
        "papers. Give --data FOLDER or set HARNESS_COCO for COCO 2017. RANDOM weights: figures mean nothing.")
    given = resolve(TaskRequest("coco-maskrcnn", data=str(data), weights="random:7"))
    assert (given.scale, given.model, given.weights_hash) == ("full", "mask-rcnn_swin-t", "random:7")
    assert given.locations["data"] == str(data)
    assert given.locations["seed"] == 7
    monkeypatch.setenv("HARNESS_COCO", str(data))
    assert resolve(TaskRequest("coco-maskrcnn", weights="random:7")) == given
    assert resolve(TaskRequest("coco-maskrcnn", scale="mini", weights="random")) == mini
    assert resolve(TaskRequest("coco-maskrcnn", model="mask_rcnn_mini", weights="random")) == mini


@pytest.mark.parametrize(("task", "mini", "full"), [
    ("coco-maskrcnn", "mask_rcnn_mini", "mask-rcnn_swin-t"),
    ("coco-cascade-maskrcnn", "cascade_mask_rcnn_mini", "cascade-mask-rcnn_swin-t"),
    ("coco-detr", "detr_mini", "detr_r50")])
def test_default_models(data: Path, task: str, mini: str, full: str) -> None:
    assert resolve(TaskRequest(task, weights="random")).model == mini
    assert resolve(TaskRequest(task, weights="random", data=str(data))).model == full
    assert resolve(TaskRequest(task, weights="random")).fingerprint == resolve(
        TaskRequest("coco-detr", weights="random:3")).fingerprint, "the same scenes for all"


def test_mini_does_not_write_the_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    resolve(TaskRequest("coco-detr", weights="random"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["SCENES_VERSION", "PREPARED", "COUNTS"])
def test_mini_fingerprint_covers_the_scenes(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    before = resolve(TaskRequest("coco-detr", weights="random")).fingerprint
    changed: Any = {"SCENES_VERSION": "other", "PREPARED": {"mini": "other"}, "COUNTS": {"train": 1, "val": 1}}[change]
    monkeypatch.setattr(module, change, changed)
    assert resolve(TaskRequest("coco-detr", weights="random")).fingerprint != before


@pytest.mark.parametrize(("request_", "error", "message"), [
    (TaskRequest("coco-detr", scale="ful"), UnknownNameError, r"unknown scale 'ful'\n.*Did you mean 'full'"),
    (TaskRequest("coco-detr", model="detr_mni"), UnknownNameError,
     r"unknown model of the mini scale of coco-detr 'detr_mni'\n.*Did you mean 'detr_mini'"),
    (TaskRequest("coco-detr", model="mask_rcnn_mini"), UnknownNameError, "unknown model of the mini scale"),
    (TaskRequest("coco-detr", scale="full", model="detr_mini"), UnknownNameError, "unknown model of the full scale"),
    (TaskRequest("coco-detr", scale="full", model="mask-rcnn_swin-t"), UnknownNameError, "Known: detr_r50"),
    (TaskRequest("coco-detr", model="detr_r50"), DataError, "detr_r50 runs at full scale, which needs the pictures of "
     r"COCO 2017\n.*instances_\{train,val\}2017.*Or set HARNESS_COCO"),
    (TaskRequest("coco-detr", scale="full"), DataError, r"needs the pictures of COCO 2017\n.*HARNESS_COCO"),
    (TaskRequest("coco-detr", data="no-such-folder"), DataError, "--data names no-such-folder, which is not a folder"),
    (TaskRequest("coco-detr", scale="mini", data="x"), DataError, "--data has no meaning"),
    (TaskRequest("coco-detr", weights="no.pth"), DataError, r"no checkpoint file no\.pth"),
])
def test_mistakes(request_: TaskRequest, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"(?s){message}"):
        resolve(request_)


def test_the_variable_is_named_in_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_COCO", "no-such-folder")
    with pytest.raises(DataError, match="HARNESS_COCO names no-such-folder"):
        resolve(TaskRequest("coco-detr", weights="random"))


@pytest.mark.parametrize(("task", "model", "named"), [
    ("coco-maskrcnn", None, r"v2\.0/swin/.*mask_rcnn_swin-t-p4-w7_fpn_ms-crop-3x_coco_20210906_131725-bacf6f7b\.pth"),
    ("coco-maskrcnn", "mask-rcnn_swin-s", r"20210903_104808-b92c91f1\.pth"),
    ("coco-detr", None, r"v3\.0/detr/detr_r50_8xb2-150e_coco/.*-436d03e8\.pth"),
    ("coco-cascade-maskrcnn", None, "mmdet's model zoo has none of Cascade Mask R-CNN Swin-T: give your own")])
def test_full_scale_asks_for_weights_and_says_where_they_are(data: Path, task: str, model: str | None,
                                                             named: str) -> None:
    with pytest.raises(DataError, match=f"(?s)no weights given for .*{named}.*--weights random"):
        resolve(TaskRequest(task, data=str(data), model=model))


def test_missing_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "weights_path", lambda name: tmp_path / name)
    with pytest.raises(DataError, match="weights of detr_mini are missing from this installation"):
        resolve(TaskRequest("coco-detr"))
    (tmp_path / "detr_mini").write_bytes(b"weights")
    found = resolve(TaskRequest("coco-detr"))
    assert found.locations["weights"] == str(tmp_path / "detr_mini")
    assert found.weights_hash == file_hash(tmp_path / "detr_mini")
    assert "RANDOM" not in found.notice


def test_full_fingerprint_covers_both_splits_and_the_preparation(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprint() -> str:
        found = resolve(TaskRequest("coco-detr", data=str(data), weights="random"))
        assert found.locations["train"] != found.locations["val"]
        return found.fingerprint

    seen = {fingerprint()}
    for split in ("train", "val"):
        listed = content(100 if split == "train" else 1, 3)
        write(data, split, listed)
        seen.add(fingerprint())
    monkeypatch.setattr(module, "PREPARED", {"full": "other"})
    seen.add(fingerprint())
    assert len(seen) == 4


def test_train_and_val_must_differ(data: Path) -> None:
    write(data, "train", content(1, 4))
    for path in (data / "train2017").iterdir():
        path.unlink()
    (data / "train2017").rmdir()
    (data / "train2017").symlink_to(data / "val2017")
    with pytest.raises(DataError, match="Calibration must not see the evaluation split"):
        resolve(TaskRequest("coco-detr", data=str(data), weights="random"))


@pytest.mark.parametrize("kept", [slice(0, 79), slice(None, None, -1)])
def test_other_categories_are_an_error(data: Path, kept: slice) -> None:
    listed = content(1, 4)
    listed["categories"] = listed["categories"][kept]
    write(data, "val", listed)
    with pytest.raises(DataError, match=r"instances_val2017\.json has \d+ categories, which are not the 80"):
        resolve(TaskRequest("coco-detr", data=str(data), weights="random"))


def test_published_figures_only_for_the_zoos_file_on_the_complete_set(data: Path, tmp_path: Path,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "renamed.pth"
    weights.write_bytes(b"x")
    request = TaskRequest("coco-detr", data=str(data), weights=str(weights))
    partial = resolve(request)
    assert partial.published is None
    assert partial.notice == "4 pictures, not the 5,000 of COCO 2017: figures are not those of papers."
    monkeypatch.setattr(module, "EVALUATION_SIZE", 4)
    complete = resolve(request)
    assert (complete.published, complete.notice) == (None, ""), "not the zoo's file"
    own = Checkpoint(f"https://x/detr_r50-{file_hash(weights)[:8]}.pth", 39.9)
    monkeypatch.setitem(KNOWN_MODELS, "detr_r50", type(KNOWN_MODELS["detr_r50"])("detr_r50", "DETR", (own,)))
    assert resolve(request).published == 39.9
    monkeypatch.setattr(module, "EVALUATION_SIZE", 5)
    assert resolve(request).published is None
    assert resolve(TaskRequest("coco-detr", data=str(data), weights="random")).published is None


def test_known_figures_are_those_of_mmdets_model_zoo() -> None:
    package = find_spec("mmdet")
    assert package is not None
    (folder,) = package.submodule_search_locations or ()
    zoo = {}
    for name in ("swin", "detr"):
        path = Path(folder) / ".mim" / "configs" / name / "metafile.yml"
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["Models"]:
            figures = {key: value for result in model["Results"] for key, value in result["Metrics"].items()}
            zoo[model["Weights"]] = (figures["box AP"], figures.get("mask AP"))
    checkpoints = [checkpoint for model in KNOWN_MODELS.values() for checkpoint in model.checkpoints]
    assert {checkpoint.url: (checkpoint.box_ap, checkpoint.mask_ap) for checkpoint in checkpoints} == {
        url: figures for url, figures in zoo.items() if "retinanet" not in url}
    for checkpoint in checkpoints:
        digits = checkpoint.file.removesuffix(".pth")[-8:]
        assert checkpoint.is_file(digits + "0" * 56)
        assert not checkpoint.is_file("0" * 8 + digits + "0" * 48)


def test_every_model_belongs_to_one_task() -> None:
    assert [model for family in FAMILIES.values() for model in family.models] == list(KNOWN_MODELS)
    assert tuple(model for family in FAMILIES.values() for model in family.mini_models) == MINI_MODELS
    for family in FAMILIES.values():
        assert set(family.paper_names.values()) <= set(family.models)


@pytest.mark.skipif(not DATA.exists(), reason="no coco-mini: set HARNESS_TEST_DATA to a folder that has it")
def test_real_coco() -> None:
    found = resolve(TaskRequest("coco-cascade-maskrcnn", data=str(DATA), weights="random"))
    assert found.notice.startswith("206 pictures, not the 5,000 of COCO 2017")
    assert found.model == "cascade-mask-rcnn_swin-t"


def test_resolving_needs_no_torch_numpy_or_mmdet(data: Path) -> None:
    code = f"""
import sys
from harness import TaskRequest
from harness_tasks.detection.resolve import resolve
resolve(TaskRequest("coco-detr", weights="random"))
resolve(TaskRequest("coco-maskrcnn", data={str(data)!r}, weights="random"))
heavy = {{"torch", "numpy", "mmdet", "mmengine", "mmcv", "PIL", "sklearn", "faster_coco_eval"}} & set(sys.modules)
assert not heavy, heavy
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
