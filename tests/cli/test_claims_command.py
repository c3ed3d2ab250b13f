"""``harness claims``: what it shows, writes and checks, and what it does with a broken file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from harness.cli.claims import claims
from harness.errors import UnknownNameError
from harness.registry import Registry, registry
from harness.results.record import Asked, Environment, Record
from harness.results.samples import PerSample
from harness.results.storage.store import Store
from harness.specs import MethodSpec, TaskSpec

Call = Callable[..., Result]


def record(method: str, bits: str, right: int) -> Record:
    asked = Asked(task="imagenet", scale="mini", model="vit_mini", method=method, bits=bits, fingerprint="d",
                  weights_hash="w", calibration_size=32)
    return Record(asked=asked, status="ok", metrics={"top1": right / 2}, main_metric="top1",
                  per_sample=PerSample.pack([1] * right + [0] * (200 - right)),
                  environment=Environment(harness="1", python="3"), created="2025-01-02T03:04:05+00:00")


@pytest.fixture(name="call")
def _call(tmp_path: Path) -> Call:
    store = Store(tmp_path / "results")
    for method, right in (("igqvit", 150), ("ptqvit", 100), ("percentile", 120)):
        store.put(record(method, "4/4", right))
    app = typer.Typer()
    app.command()(claims)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--results", str(tmp_path / "results")])
    return call


def test_what_is_shown(call: Call) -> None:
    shown = call()
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert "beats-ptqvit  IGQ-ViT is better than PTQ-ViT (Sections 1 and 4)" in lines
    assert ("  reproduced      imagenet, mini scale, vit_mini, 4/4: 75.00 and 50.00: +25.00 [+18.98, +31.02], 1 seed"
            in lines)
    assert "  not tested      6/6, 8/8" in lines
    command = "harness run --methods igqvit,ptqvit --task imagenet,coco-maskrcnn,coco-cascade-maskrcnn --bits 6/6,8/8"
    assert f"                  {command}" in lines
    assert lines[-1].startswith("1 reproduced, 1 not reproduced, 0 undecided, ")


def test_claims_of_a_method_and_of_a_task(call: Call) -> None:
    def ids(*arguments: str) -> set[str]:
        found = json.loads(call("--format", "json", *arguments).stdout)["verdicts"]
        return {f"{each['claim']['source']}.{each['claim']['id']}" for each in found}

    of_ptqvit = ids("--method", "ptqvit")
    assert {"ptqvit.beats-percentile", "igqvit.beats-ptqvit"} <= of_ptqvit
    assert not [name for name in of_ptqvit if name.startswith("qvit.")]
    assert ids("--task", "cifar10") == {"ptqvit.beats-percentile-on-cifar10"}
    assert ids("--task", "glue") == {"variation.binary-bert-beats-bit"}


def test_output_and_check(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "claims.md"
    assert call("--output", str(file), "--check").exit_code == 1
    assert call("--output", str(file)).exit_code == 0
    assert "75.00 and 50.00: +25.00" in file.read_text()
    assert call("--output", str(file), "--check").exit_code == 0
    file.write_text(file.read_text() + "\n")
    found = call("--output", str(file), "--check")
    assert found.exit_code == 1
    assert "is not what the records give" in found.output


def test_unknown_names(call: Call) -> None:
    for option, name in (("--method", "qvitt"), ("--task", "imagenett")):
        assert isinstance(call(option, name).exception, UnknownNameError)


def test_a_broken_file_is_named_and_the_rest_is_judged(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Registry.claims

    def broken(self: Registry, spec: MethodSpec | TaskSpec) -> str:
        return "[[claim]]\nid = 1" if spec.name == "qvit" else read(self, spec)

    monkeypatch.setattr(Registry, "claims", broken)
    assert registry().claims(registry().methods["igqvit"])
    shown = call("--format", "md")
    assert shown.exit_code == 1
    assert "warning: claims.toml of qvit, claim 1: id: " in shown.stderr
    assert "| beats-ptqvit |" in shown.stdout


def test_an_empty_folder_is_named(call: Call, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(claims)
    shown = CliRunner().invoke(app, ["--results", str(tmp_path / "none"), "--format", "md"])
    assert shown.exit_code == 1
    assert "no records in" in shown.stderr
    assert "not tested" in shown.stdout
