"""``harness report`` as a user, and CI, sees it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from real_command import COMMAND, TOY, environment
from toy_study import toy_results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with three records of the toy task, and what ``harness report`` makes of them and says."""
    folder = tmp_path_factory.mktemp("made")
    toy_results(folder)
    done = subprocess.run([*COMMAND, "report"], cwd=folder, env=environment(), capture_output=True, text=True,
                          timeout=300, check=True)
    (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy of its results, where ``harness`` looks for them."""
    return Path(shutil.copytree(made / "results", tmp_path / "results"))


@pytest.fixture
def records_alone(results):
    """The same before anything was made."""
    for path in _files(results):
        (results / path).unlink()
    return results


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] not in ("records", "index", "leases", "studies")}


def test_everything_is_made(made):
    files = _files(made / "results")
    assert {"toy.md", "toy.csv", "claims.md", "index.md", "generated.sha256"} < set(files)
    assert any(name.startswith("charts/") and name.endswith(".svg") for name in files)
    assert b"minmax" in files["toy.md"]
    assert b"[toy](toy.md), [csv](toy.csv)" in files["index.md"]
    said = (made / "said.txt").read_text().splitlines()
    assert sorted(said) == [f"results/{name}: new" for name in files]


def test_the_manifest_lists_what_was_made(made):
    lines = (made / "results" / "generated.sha256").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines if not line.startswith("#"))
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in _files(made / "results").items()
                      if name != "generated.sha256"}


def test_what_was_made_is_up_to_date_and_comes_out_the_same_again(harness, results):
    (results / "README.md").write_text("mine")
    (results / "charts" / "photo.svg").write_text("mine")
    before = _files(results)
    checked = harness("report", "--check")
    assert checked.returncode == 0, checked.stderr
    assert f"{len(before) - 3} files are as the 3 records have them" in checked.stdout
    shutil.rmtree(results / "charts")
    (results / "charts").mkdir()
    (results / "charts" / "photo.svg").write_text("mine")
    assert harness("report").returncode == 0
    assert _files(results) == before


def test_drift_is_named_shown_and_mended(harness, results):
    good = _files(results)
    table = results / "toy.md"
    table.write_text(table.read_text().replace("minmax", "maxmin", 1))
    (results / "toy.csv").unlink()
    done = harness("report", "--check")
    assert done.returncode == 1
    assert "results/toy.md: drifted" in done.stderr
    assert "maxmin" in done.stderr
    assert "results/toy.csv: missing" in done.stderr
    assert harness("report").returncode == 0
    assert _files(results) == good


def test_a_new_record_is_a_drift(harness, results):
    assert harness("run", "--task", "toy", "--methods", "minmax", "--bits", "2/2", "--calibration",
                   "8").returncode == 0
    done = harness("report", "--check")
    assert done.returncode == 1
    assert "results/toy.md: drifted" in done.stderr


def test_a_file_in_the_way_is_a_user_error(harness, records_alone):
    results = records_alone
    (results / "claims.md").write_text("mine")
    done = harness("report")
    assert done.returncode == 2
    assert "claims.md would be overwritten" in done.stderr
    assert "Traceback" not in done.stderr
    assert (results / "claims.md").read_text() == "mine"
    assert not (results / "toy.md").exists()
    assert harness("report", "--check").returncode == 1


def test_a_damaged_record_is_named_and_the_rest_is_made(harness, results):
    before = _files(results)
    damaged = next(path for path in (results / "records" / "toy").glob("minmax-*.json"))
    damaged.write_text(damaged.read_text()[:500])
    checked = harness("report", "--check")
    assert checked.returncode == 1
    assert damaged.name in checked.stderr
    assert "left over" not in checked.stderr  # what it was needed for is not known, so nothing is
    made = harness("report")
    assert made.returncode == 1
    assert damaged.name in made.stderr
    assert set(_files(results)) == set(before)
    assert b"toy_noise" in _files(results)["toy.md"]
    assert b"minmax" not in _files(results)["toy.md"]


def test_an_empty_folder_is_said_and_stays_empty(harness, tmp_path):
    for arguments in (("report",), ("report", "--check")):
        done = harness(*arguments, "--results", "nothing")
        assert done.returncode == 1
        assert "no records in nothing" in done.stderr
    assert not (tmp_path / "nothing" / "index.md").exists()


def test_without_the_extra_packages_the_tables_are_made(harness, records_alone, tmp_path):
    for name in ("altair", "vl_convert"):
        (tmp_path / "absent" / name).mkdir(parents=True)
        (tmp_path / "absent" / name / "__init__.py").write_text(f"raise ImportError('no {name} here')")
    done = harness("report", PYTHONPATH=f"{tmp_path / 'absent'}:{TOY}:{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 1
    assert done.stderr.count("quantization-harness[report]") == 1
    assert {"toy.md", "toy.csv", "claims.md"} < set(_files(records_alone))
    assert "Traceback" not in done.stderr
