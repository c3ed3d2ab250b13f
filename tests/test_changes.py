"""The notes of the next version are files that towncrier takes, and the changelog is where it puts them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import harness

ROOT = Path(__file__).parents[1]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
TYPES = [each["directory"] for each in CONFIGURATION["type"]]
FRAGMENTS = sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")


def test_every_note_is_well_named_and_says_something() -> None:
    for path in FRAGMENTS:
        assert re.fullmatch(rf"(\d+|\+[a-z][a-z0-9-]*)\.({'|'.join(TYPES)})(\.\d+)?\.md", path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert len(text) > 20, path.name
        assert text[-1] in ".:`", path.name
        assert "\n\n" not in text, path.name


def test_the_guide_names_every_kind_of_change() -> None:
    guide = (ROOT / "changes" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\.(\w+)\.md`", guide)) == set(TYPES)


def test_towncrier_makes_the_notes_of_the_next_version() -> None:
    command = ("-m", "towncrier", "build", "--draft", "--version", "99.0", "--date", "2026-01-01")
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "## 99.0 (2026-01-01)" in done.stdout
    for path in FRAGMENTS:
        assert path.read_text(encoding="utf-8").strip()[:40] in done.stdout, path.name


def test_the_changelog_has_the_line_and_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.count(CONFIGURATION["start_string"]) == 1
    assert f"## {harness.__version__} (" in text
