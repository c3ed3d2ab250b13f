"""From a request to a concrete task."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from picture_sets import csv_set

from harness import DataError, TaskRequest, UnknownNameError, file_hash
from harness_tasks.classification import digits
from harness_tasks.classification.image_sets import IMAGE_SETS
from harness_tasks.classification.known_models import KNOWN_MODELS
from harness_tasks.classification.resolve import resolve


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return csv_set(tmp_path / "data")


def test_mini_unless_data_is_configured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = resolve(TaskRequest("cifar10", weights="random"))
    assert (mini.scale, mini.model, mini.weights_hash, mini.published) == ("mini", "vit_mini", "random:0", None)
    assert mini.notice.startswith("MINI scale: embedded handwritten digits")
    assert "RANDOM weights" in mini.notice
    given = resolve(TaskRequest("cifar10", data=str(data), weights="random:7"))
    assert (given.scale, given.model, given.weights_hash) == ("full", "deit_tiny_patch16_224", "random:7")
    monkeypatch.setenv("HARNESS_CIFAR10", str(data))
    assert resolve(TaskRequest("cifar10", weights="random:7")) == given
    assert resolve(TaskRequest("cifar10", scale="mini", weights="random")) == mini
    assert resolve(TaskRequest("cifar10", model="swin_mini", weights="random")).scale == "mini"
    assert resolve(TaskRequest("imagenet", weights="random")).scale == "mini", "the variable of another set"


def test_mini_models_of_each_set() -> None:
    for name, models in {"imagenet": ("vit_mini", "swin_mini"), "cifar100": ("vit_mini_100",)}.items():
        assert IMAGE_SETS[name].mini_models == models
        assert resolve(TaskRequest(name, weights="random")).model == models[0]


def test_mini_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    ten, hundred = (resolve(TaskRequest(name, weights="random")).fingerprint for name in ("cifar10", "cifar100"))
    assert ten != hundred
    assert resolve(TaskRequest("cifar10", weights="random:1", model="swin_mini")).fingerprint == ten
    monkeypatch.setattr("harness_tasks.classification.resolve.DIGITS_VERSION", digits.VERSION + "x")
    assert resolve(TaskRequest("cifar10", weights="random")).fingerprint != ten


@pytest.mark.parametrize(("request_", "error", "message"), [
    (TaskRequest("imagenet", scale="ful"), UnknownNameError, r"unknown scale 'ful'\n.*Did you mean 'full'"),
    (TaskRequest("imagenet", model="vit_mni"), UnknownNameError, r"'vit_mni'\n.*Did you mean 'vit_mini'"),
    (TaskRequest("imagenet", scale="full", model="vit_mini"), UnknownNameError, "unknown model of the full scale"),
    (TaskRequest("imagenet", model="swin_tiny_patch4_window7_224"), DataError, "needs the pictures of ImageNet-1k"),
    (TaskRequest("imagenet", scale="full"), DataError, r"HARNESS_IMAGENET"),
    (TaskRequest("imagenet", data="no-such-folder"), DataError, "--data names no-such-folder, which is not a folder"),
    (TaskRequest("imagenet", scale="mini", data="x"), DataError, "--data has no meaning"),
    (TaskRequest("imagenet", weights="no.pth"), DataError, r"no checkpoint file no\.pth"),
])
def test_mistakes(request_: TaskRequest, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"(?s){message}"):
        resolve(request_)


def test_the_variable_is_named_in_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CIFAR100", "no-such-folder")
    with pytest.raises(DataError, match="HARNESS_CIFAR100 names no-such-folder"):
        resolve(TaskRequest("cifar100", weights="random"))


def test_weights_must_come_from_somewhere(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(DataError, match="timm has no checkpoint of deit_tiny_patch16_224 for CIFAR-10"):
        resolve(TaskRequest("cifar10", data=str(data)))
    with pytest.raises(DataError, match=r"timm/deit_tiny_patch16_224\.fb_in1k is not in this machine") as caught:
        resolve(TaskRequest("imagenet", data=str(data)))
    assert "--weights hub" in caught.value.remedy
    with pytest.raises(DataError, match="which checkpoint of vit_huge_patch14_224"):
        resolve(TaskRequest("imagenet", data=str(data), model="vit_huge_patch14_224"))

    snapshot = tmp_path / "hub" / "models--timm--deit_tiny_patch16_224.fb_in1k" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    resolved = resolve(TaskRequest("imagenet", data=str(data)))
    assert resolved.locations["weights"] == str(snapshot / "model.safetensors")
    assert resolved.weights_hash == file_hash(snapshot / "model.safetensors")


def test_download_only_when_asked_and_its_failure(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def offline(repository: str, file: str) -> str:
        asked.append((repository, file))
        raise OSError("offline mode is enabled")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(DataError, match="cannot be downloaded: offline mode is enabled"):
        resolve(TaskRequest("imagenet", data=str(data), weights="hub"))
    assert asked == [("timm/deit_tiny_patch16_224.fb_in1k", "model.safetensors")]


def test_missing_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_tasks.classification.resolve.weights_path", lambda name: tmp_path / name)
    with pytest.raises(DataError, match="weights of vit_mini are missing from this installation"):
        resolve(TaskRequest("cifar10"))


def test_no_train_split_is_an_error(data: Path) -> None:
    (data / "train.csv").unlink()
    with pytest.raises(DataError, match="no train split of CIFAR-10") as caught:
        resolve(TaskRequest("cifar10", data=str(data), weights="random"))
    assert "train" in caught.value.remedy


def test_the_same_pictures_twice_are_an_error(data: Path) -> None:
    (data / "train.csv").unlink()
    (data / "train.csv").symlink_to(data / "val.csv")
    for path in (data / "train").iterdir():
        path.unlink()
    (data / "train").rmdir()
    (data / "train").symlink_to(data / "val")
    with pytest.raises(DataError, match="are the same pictures"):
        resolve(TaskRequest("cifar10", data=str(data), weights="random"))


def test_full_fingerprint_covers_both_splits_and_the_preprocessing(data: Path) -> None:
    def fingerprint(model: str | None = None) -> str:
        return resolve(TaskRequest("imagenet", data=str(data), weights="random", model=model)).fingerprint

    original = fingerprint()
    assert fingerprint() == fingerprint("deit_small_patch16_224") == original, "the same preprocessing"
    assert fingerprint("vit_small_patch16_224") != original, "another normalisation"
    assert resolve(TaskRequest("cifar10", data=str(data), weights="random")).fingerprint != original, "no crop"
    (data / "preprocess.toml").write_text("resize = 224\n")
    changed = fingerprint()
    assert changed != original
    (data / "preprocess.toml").write_text("resize = 248\n")
    assert fingerprint() == original
    (data / "preprocess.toml").unlink()
    (data / "train.csv").write_text((data / "train.csv").read_text().replace("0.png,0", "0.png,1"))
    assert fingerprint() not in (original, changed)


@pytest.mark.parametrize(("text", "message"), [
    ("resize = 100", r"preprocess\.toml.*resize \(100\) must be at least size \(224\)"),
    ("crop = 3", r"preprocess\.toml: crop"),
    ("interpolation = 'magic'", "interpolation"),
    ("std = [0.0, 1.0, 1.0]", "std must be positive"),
    ("mean = ", "cannot be read"),
])
def test_wrong_preprocess_file(data: Path, text: str, message: str) -> None:
    (data / "preprocess.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        resolve(TaskRequest("imagenet", data=str(data), weights="random"))


def test_published_figures_only_for_the_complete_set(data: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    request = TaskRequest("imagenet", data=str(data), weights=str(weights))
    partial = resolve(request)
    assert partial.published is None
    assert "4 pictures, not the 50,000 of ImageNet-1k" in partial.notice
    small = {name: replace(image_set, evaluation_size=4) for name, image_set in IMAGE_SETS.items()}
    monkeypatch.setattr("harness_tasks.classification.resolve.IMAGE_SETS", small)
    complete = resolve(request)
    assert (complete.published, complete.notice) == (72.172, "")
    assert resolve(TaskRequest("imagenet", data=str(data), weights="random")).published is None
    assert resolve(TaskRequest("cifar10", data=str(data), weights=str(weights))).published is None
    (data / "preprocess.toml").write_text("resize = 224")
    assert resolve(request).published is None


def test_resolving_needs_no_torch_numpy_or_timm(tmp_path: Path) -> None:
    csv_set(tmp_path)
    code = f"""
import sys
from harness import TaskRequest
from harness_tasks import classification
tasks, adapters = list(classification.harness_tasks()), list(classification.harness_adapters())
assert [task.name for task in tasks] == ["imagenet", "cifar10", "cifar100"] and len(adapters) == 2
from harness_tasks.classification.resolve import resolve
resolve(TaskRequest("imagenet", weights="random"))
resolve(TaskRequest("imagenet", data={str(tmp_path)!r}, weights="random"))
heavy = {{"torch", "numpy", "timm", "PIL", "sklearn", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_known_models_have_full_and_default_names() -> None:
    assert KNOWN_MODELS["vit_base_patch16_224"].tag == "augreg2_in21k_ft_in1k"
    assert KNOWN_MODELS["vit_base_patch16_224.augreg_in21k_ft_in1k"].top1 == 84.532
