"""Checkpoints: all of the weights or none, and never code."""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from harness import DataError, load_weights, read_weights


def small_model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn_like(value) for name, value in small_model().state_dict().items()}


def assert_loaded(path: Path, weights: dict[str, torch.Tensor]) -> None:
    model = small_model()
    load_weights(model, path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])


def test_safetensors(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, tmp_path / "w.safetensors")
    assert_loaded(tmp_path / "w.safetensors", weights)


@pytest.mark.parametrize("wrap", [
    lambda w: w,
    lambda w: {"model": w, "epoch": 3},
    lambda w: {"state_dict": {f"module.{k}": v for k, v in w.items()}},
    lambda w: {"state_dict": {f"module.model.{k}": v for k, v in w.items()}, "args": argparse.Namespace(lr=0.1)},
    lambda w: {"model": {"state_dict": {f"_orig_mod.{k}": v for k, v in w.items()}}},
], ids=["plain", "model", "module", "nested prefixes", "two nests"])
def test_nesting_and_prefixes(tmp_path: Path, weights: dict[str, torch.Tensor], wrap: object) -> None:
    assert callable(wrap)
    torch.save(wrap(weights), tmp_path / "w.pth")
    assert_loaded(tmp_path / "w.pth", weights)


def test_prefix_is_kept_where_only_some_names_have_it(tmp_path: Path) -> None:
    torch.save({"model.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pth")
    assert set(read_weights(tmp_path / "w.pth")) == {"model.a", "b"}


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: Path(path).write_bytes(pickle.dumps(obj, protocol=2))],
                         ids=["torch.save", "bare pickle"])
def test_malicious_pickle_is_refused_and_not_executed(tmp_path: Path, weights: dict[str, torch.Tensor],
                                                      save: object) -> None:
    assert callable(save)
    marker = tmp_path / "executed"
    save({"model": weights, "extra": Malicious(marker)}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="could run code") as caught:
        load_weights(small_model(), tmp_path / "w.pth")
    assert "safetensors" in caught.value.remedy
    assert not marker.exists()
    # The file is malicious indeed: whoever unpickles it runs its code.
    if save is not torch.save:
        pickle.loads((tmp_path / "w.pth").read_bytes())  # noqa: S301 - made above
        assert marker.exists()


@pytest.mark.parametrize(("change", "message"), [
    (lambda w: w.pop("0.weight"), r"1 missing: 0\.weight"),
    (lambda w: w.update(extra=torch.ones(1)), r"1 not in the model: extra"),
    (lambda w: w.update({"0.weight": torch.ones(4, 5)}),
     r"1 wrong shapes: 0\.weight is \(4, 5\) in the file and \(4, 3\) in the model"),
    (lambda w: w.clear() or w.update({f"k{i}": torch.ones(1) for i in range(9)}),
     r"9 not in the model: k0, k1, k2, k3, \.\.\."),
], ids=["missing", "unexpected", "shape", "many"])
def test_misfits_are_named_and_leave_the_model_alone(tmp_path: Path, weights: dict[str, torch.Tensor], change: object,
                                                     message: str) -> None:
    assert callable(change)
    change(weights)
    torch.save(weights, tmp_path / "w.pth")
    model = small_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DataError, match=message):
        load_weights(model, tmp_path / "w.pth")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_conversion_only_where_names_do_not_match(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    calls = []

    def rename(given: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
        calls.append(model)
        return {name.replace("first", "0"): value for name, value in given.items()}

    save_file(weights, tmp_path / "same.safetensors")
    load_weights(small_model(), tmp_path / "same.safetensors", convert=rename)
    assert not calls
    save_file({name.replace("0", "first"): value for name, value in weights.items()}, tmp_path / "old.safetensors")
    model = small_model()
    load_weights(model, tmp_path / "old.safetensors", convert=rename)
    assert calls == [model]
    assert torch.equal(model.state_dict()["0.weight"], weights["0.weight"])


def test_conversion_may_not_compute(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file({"old": torch.ones(1), **weights, "0.weight": torch.ones(8, 3)}, tmp_path / "w.safetensors")

    def resize(given: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
        given.pop("old")
        return {**given, "0.weight": given["0.weight"][:4] * 2}

    with pytest.raises(DataError, match=r"0\.weight is \(8, 3\) in the file .* not in the model: old"):
        load_weights(small_model(), tmp_path / "w.safetensors", convert=resize)


def test_hash_is_checked_before_parsing(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "w.safetensors"
    save_file(weights, path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    load_weights(small_model(), path, sha256=right.upper())
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match="SHA-256"):
        load_weights(small_model(), path, sha256=right)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 torn"])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        load_weights(small_model(), tmp_path / name)


def test_truncated_file(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save(weights, tmp_path / "w.pth")
    content = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(content[:len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_weights(small_model(), tmp_path / "w.pth")


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint file"):
        load_weights(small_model(), tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="holds no tensors"):
        load_weights(small_model(), tmp_path / "w.pth")
    torch.save([torch.ones(1)], tmp_path / "w.pth")
    with pytest.raises(DataError, match="holds no tensors"):
        load_weights(small_model(), tmp_path / "w.pth")


class TrainingLog:
    """What a trainer saves beside the weights."""

    def __init__(self) -> None:
        self.losses = [0.5, 0.25]


def test_logs_beside_the_weights_can_be_ignored_by_name(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "runner.pth"
    torch.save({"state_dict": weights, "log": TrainingLog(), "look_up": getattr}, path)
    with pytest.raises(DataError, match="more than tensors"):
        load_weights(small_model(), path)
    model = small_model()
    load_weights(model, path, ignored=[f"{__name__}.TrainingLog", "builtins.getattr"])
    assert torch.equal(model.state_dict()["0.weight"], weights["0.weight"])


def test_what_is_ignored_is_not_called(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    made = tmp_path / "made"

    class Call:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(made)!r}, 'w').close()",)

    torch.save({"state_dict": weights, "log": Call()}, tmp_path / "w.pth")
    found = read_weights(tmp_path / "w.pth", ignored=["builtins.exec"])
    assert found.keys() == weights.keys()
    assert not made.exists()
    # The file is malicious indeed: whoever unpickles it runs its code.
    torch.load(tmp_path / "w.pth", weights_only=False)
    assert made.exists()
