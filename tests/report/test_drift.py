"""Generated files against what would be made: which are missing, drifted, left over, or somebody's own."""

from __future__ import annotations

import subprocess

import pytest

from harness.errors import StoreError
from harness.report import manifest
from harness.report.drift import Drift, drifts, update
from harness.report.short_diff import short_diff

MADE = {"toy.md": "# toy\n\nfirst\nsecond\n", "charts/toy.svg": "<svg>é</svg>"}


@pytest.fixture
def folder(tmp_path):
    """A results folder that is up to date."""
    update(tmp_path, MADE, "drawer 1.0")
    return tmp_path


def _states(folder, made=MADE, **options):
    return {drift.path: drift.state for drift in drifts(folder, made, **options)}


def test_an_empty_folder_misses_everything(tmp_path):
    assert _states(tmp_path) == {"toy.md": "missing", "charts/toy.svg": "missing", manifest.NAME: "missing"}


def test_what_was_made_is_up_to_date_and_is_not_written_again(folder):
    assert _states(folder) == {}
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    assert update(folder, MADE, "drawer 2.0") == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")} == before


def test_a_changed_byte_is_a_drift_that_is_shown_and_mended(folder):
    (folder / "toy.md").write_text("# toy\n\nfirst\nsecond \n")
    assert drifts(folder, MADE) == [Drift("toy.md", "drifted", ("@ line 4", "- second ", "+ second"))]
    update(folder, MADE, "")
    assert _states(folder) == {}


def test_a_line_ending_is_a_drift_too(folder):
    (folder / "toy.md").write_bytes(MADE["toy.md"].replace("\n", "\r\n").encode())
    assert drifts(folder, MADE) == [Drift("toy.md", "drifted", ("(line endings differ)",))]


def test_new_records_change_a_listed_file(folder):
    new = {**MADE, "toy.md": "# toy\n\nfirst\nbetter\n"}
    assert _states(folder, new) == {"toy.md": "drifted", manifest.NAME: "drifted"}
    update(folder, new, "")
    assert (folder / "toy.md").read_text() == new["toy.md"]
    assert _states(folder, new) == {}


def test_what_no_record_asks_for_is_left_over_and_removed(folder):
    less = {"toy.md": MADE["toy.md"]}
    assert _states(folder, less) == {"charts/toy.svg": "left over", manifest.NAME: "drifted"}
    update(folder, less, "")
    assert not (folder / "charts" / "toy.svg").exists()
    assert _states(folder, less) == {}


def test_a_left_over_file_that_somebody_changed_stays(folder):
    (folder / "charts" / "toy.svg").write_text("<svg>mine</svg>")
    found = update(folder, {"toy.md": MADE["toy.md"]}, "")
    assert Drift("charts/toy.svg", "left over") in found
    assert (folder / "charts" / "toy.svg").read_text() == "<svg>mine</svg>"


def test_what_could_not_be_made_is_not_left_over(folder):
    less = {"toy.md": "# toy, better\n"}
    assert _states(folder, less, complete=False) == {"toy.md": "drifted"}
    update(folder, less, "", complete=False)
    assert (folder / "charts" / "toy.svg").exists()
    assert set(manifest.listed(folder)) == {"toy.md", "charts/toy.svg"}


def test_a_file_that_somebody_wrote_is_never_overwritten(folder):
    (folder / "claims.md").write_text("what I think\n")
    new = {**MADE, "claims.md": "claims\n", "zoo.md": "zoo\n"}
    assert _states(folder, new)["claims.md"] == "in the way"
    with pytest.raises(StoreError, match=r"claims\.md would be overwritten"):
        update(folder, new, "")
    assert (folder / "claims.md").read_text() == "what I think\n"
    assert not (folder / "zoo.md").exists()


def test_what_was_made_before_there_was_a_manifest_is_adopted(tmp_path):
    (tmp_path / "toy.md").write_text(MADE["toy.md"])
    update(tmp_path, MADE, "")
    assert set(manifest.listed(tmp_path)) == set(MADE)


def test_other_files_are_none_of_its_business(folder):
    (folder / "README.md").write_text("by hand")
    (folder / "charts" / "photo.svg").write_text("by hand")
    assert _states(folder) == {}
    update(folder, {}, "")
    assert sorted(path.name for path in folder.rglob("*.*")) == ["README.md", manifest.NAME, "photo.svg"]


def test_a_merge_of_two_branches_needs_one_more_report(folder):
    text = (folder / manifest.NAME).read_text()
    line = f"{'0' * 64}  zoo.md\n"
    (folder / manifest.NAME).write_text(f"{text}<<<<<<< ours\n=======\n{line}>>>>>>> theirs\n")
    (folder / "toy.md").write_text("<<<<<<< ours\n# toy\n=======\n# toy too\n>>>>>>> theirs\n")
    assert _states(folder) == {"toy.md": "drifted", manifest.NAME: "drifted"}
    update(folder, MADE, "")
    assert (folder / manifest.NAME).read_text() == text.replace("drawer 1.0", "")


@pytest.mark.parametrize("path", ["../outside.md", "/etc/outside.md", "records/toy/one.json", "charts/../../x"])
def test_a_manifest_cannot_have_other_files_removed(folder, path):
    with (folder / manifest.NAME).open("a") as file:
        file.write(f"{manifest.digest(b'kept')}  {path}\n")
    assert path not in manifest.listed(folder)


def test_versions_are_said_and_not_compared(folder):
    assert manifest.drawn_with(folder) == "drawer 1.0"
    name = folder / manifest.NAME
    name.write_text(name.read_text().replace("drawer 1.0", "drawer 2.0"))
    assert _states(folder) == {}


def test_sha256sum_reads_the_manifest(folder):
    done = subprocess.run(["sha256sum", "--check", "--strict", manifest.NAME], cwd=folder, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "charts/toy.svg: OK\ntoy.md: OK\n")


def test_a_short_diff_is_short():
    before = "".join(f"line {number}\n" for number in range(1000))
    assert short_diff(before, before.replace("line", "LINE")) == (
        "@ line 1", "- line 0", "- line 1", "- line 2", "- ... 997 more lines",
        "+ LINE 0", "+ LINE 1", "+ LINE 2", "+ ... 997 more lines")
    assert short_diff(before, before.replace("line 500\n", "line 500\nnew\n")) == ("@ line 502", "+ new")
    assert short_diff("a\nb\n", "a\n") == ("@ line 2", "- b")


def test_a_long_line_is_cut_to_where_it_differs():
    before = "<svg>" + "a" * 10000 + "X" + "b" * 10000
    _, old, new = short_diff(before, before.replace("X", "Y"))
    assert "aXb" in old
    assert "aYb" in new
    assert len(old) < 160
