"""``harness new``: each kind of package is made, installed, run, tested and checked as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fresh_environment import FreshEnvironment

from harness.scaffold.naming import names_of
from harness.scaffold.package import Kind, make_package

NAMES = {Kind.method: "my-clip", Kind.task: "my_waves", Kind.adapter: "tinyattention"}
RUNS = {Kind.method: ("--methods", "my-clip", "--task", "imagenet", "--scale", "mini"),
        Kind.task: ("--methods", "minmax,lsq", "--task", "my_waves", "--budget", "steps=2"),
        Kind.adapter: ("--methods", "minmax", "--task", "tinyattention")}
KINDS = pytest.mark.parametrize("kind", list(Kind))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """One of each kind, installed side by side."""
    folder = tmp_path_factory.mktemp("new")
    made = FreshEnvironment(folder / "environment", with_harness=True)
    for kind, name in NAMES.items():
        made.install(make_package(kind, names_of(name), folder))
    return made


@KINDS
def test_it_runs_at_once(environment: FreshEnvironment, tmp_path: Path, kind: Kind) -> None:
    environment.harness("run", *RUNS[kind], "--bits", "8/8", "--limit", "20", "--calibration", "8", cwd=tmp_path,
                        HARNESS_STRICT="1")
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("records/*/*.json")]
    assert len(records) == 1 + len(RUNS[kind][1].split(","))
    assert {record["status"] for record in records} == {"ok"}
    assert min(record["metrics"]["top1"] for record in records) > 50


@KINDS
def test_its_own_tests_pass(environment: FreshEnvironment, kind: Kind) -> None:
    folder = environment.folder.parent / names_of(NAMES[kind]).distribution
    said = environment.call("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)
    assert int(said.split(" passed")[0].split()[-1]) > 15  # the conformance suite is among them


def test_harness_check_has_nothing_to_mend(environment: FreshEnvironment, tmp_path: Path) -> None:
    said = environment.harness("check", *NAMES.values(), cwd=tmp_path)
    for component in ("method my-clip", "search my-clip", "task my_waves", "adapter tinyattention"):
        assert component in said
    assert "all kept" in said


def test_they_declare_the_api_and_say_where_they_are(environment: FreshEnvironment, tmp_path: Path) -> None:
    listed = {plugin["name"]: plugin for plugin in
              json.loads(environment.harness("list", "plugins", "--json", cwd=tmp_path))}
    for name in NAMES.values():
        names = names_of(name)
        assert (listed[name]["api"], listed[name]["distribution"]) == ("1.0", names.distribution)
        assert Path(listed[name]["source"]).name == names.module
