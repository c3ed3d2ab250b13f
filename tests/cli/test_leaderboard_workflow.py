"""The workflow that users copy: its commands are run as GitHub would, in a repository with a small results folder.

Left out, because they need a network or GitHub: ``Install``, and the steps that are actions (``uses``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from real_command import COMMAND, environment
from toy_study import toy_results

from harness.results.record import Record

FILE = Path(__file__).parents[2] / "docs" / "workflows" / "leaderboard.yml"
WORKFLOW = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["check"]["steps"]
LEFT_OUT = {"Install": "pip install -r requirements.txt"}


def _execute(folder: Path) -> list[tuple[str, int]]:
    """Name and exit code of each command step, up to the first that fails."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "harness"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from harness.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    found = []
    for step in STEPS:
        if "run" not in step or step["name"] in LEFT_OUT:
            continue
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=folder,
                              env=environment(PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"), check=False,
                              capture_output=True, text=True, timeout=300)
        found.append((step["name"], done.returncode))
        if done.returncode:
            assert "Traceback" not in done.stderr
            break
    return found


def _harness(folder: Path, *arguments: str) -> None:
    subprocess.run([*COMMAND, *arguments], cwd=folder, env=environment(), check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository with records, and what ``harness report`` makes of them."""
    folder = tmp_path_factory.mktemp("repository")
    toy_results(folder)
    _harness(folder, "report")
    return folder


@pytest.fixture
def repository(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "repository"))


def test_its_commands_pass_where_everything_is_up_to_date(repository):
    names = [step["name"] for step in STEPS if "run" in step and step["name"] not in LEFT_OUT]
    assert len(names) == 3
    assert _execute(repository) == [(name, 0) for name in names]
    (upload,) = (step for step in STEPS if "upload-pages-artifact" in step.get("uses", ""))
    assert (repository / upload["with"]["path"] / "index.html").is_file()


def test_a_table_that_was_edited_stops_it_at_once(repository):
    table = repository / "results" / "toy.md"
    table.write_text(table.read_text() + "\nEdited by hand.\n")
    assert _execute(repository) == [("Tables, claims and charts are what the records give", 1)]


def test_a_study_that_comes_out_otherwise_stops_it(repository):
    """A better record, and tables that fit it: only measuring again can tell."""
    (path,) = (repository / "results" / "records" / "toy").glob("toy_noise-*.json")
    record = Record.from_json(path.read_text())
    better = record.model_copy(update={"metrics": {"top1": record.value + 20}, "per_sample": None})
    path.write_text(better.to_json())
    _harness(repository, "report")
    assert _execute(repository) == [("Tables, claims and charts are what the records give", 0),
                                    ("A small study, measured again, stays in its bands", 1)]


def test_what_is_left_out_here_is_what_is_said():
    left = {step["name"]: step["run"] for step in STEPS if step.get("name") in LEFT_OUT}
    assert left == LEFT_OUT


def test_it_runs_for_pull_requests_and_publishes_from_the_main_branch_only():
    assert "pull_request" in WORKFLOW[True]  # YAML 1.1 reads the key "on" so
    assert WORKFLOW["permissions"] == {"contents": "read"}
    publish = WORKFLOW["jobs"]["publish"]
    assert publish["needs"] == "check"
    assert publish["if"] == "github.ref == 'refs/heads/main'"


def test_every_action_has_a_version():
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    assert all(("uses" in step) != ("run" in step) for step in steps)
