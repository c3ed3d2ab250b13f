"""Every block of code in the documentation and the README is tried; docs/explanation/pages.md says how."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_lines import split
from fenced import blocks
from readers_machine import Machine
from tried import Page

ROOT = Path(__file__).parents[2]
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if blocks(page)]
STUDY = ["run", "--methods", "minmax,omse", "--task", "imagenet", "--bits", "4/4,8/8", "--limit", "20"]


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, for pages that only look at records."""
    machine = Machine(tmp_path_factory.mktemp("records"), Path("none"))
    machine.python("-m", "harness", *STUDY)
    return machine.folder / "results"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_a_page(page: Path, tmp_path: Path, request: pytest.FixtureRequest,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path / "page", tmp_path / "environment")
    measures = any("--limit" in arguments for block in blocks(page) for line in block.commands()
                   for arguments in split(line))
    if not measures:
        shutil.copytree(request.getfixturevalue("records"), machine.folder / "results")
    monkeypatch.chdir(machine.folder)
    tried = Page(machine)
    for block in blocks(page):
        tried.block(block)


@pytest.mark.parametrize(("text", "said"), [
    ("```console\n$ harness table --tsak imagenet\n```\n", "No such option"),
    ("```console\n$ harness tabel\n```\n", "no command 'tabel'"),
    ("```console\n$ harness run --methods minmaxx --task imagenet\n```\n", "minmaxx"),
    ("```console\n$ harness run --methods minmax --task imagenet --bits 99/99\n```\n", "not possible"),
    ("```console\n$ harness run --methods minmax --task imagenet --data /data/x --sett a=b\n```\n", "No such option"),
    ("```console\n$ pip install '.[nothing]'\n```\n", "no such extra"),
    ("```console\n$ tox run -e nothing\n```\n", "no environment"),
    ("```console\n$ rm -rf everything\n```\n", "nobody tries"),
    ("```console\nharness table\n```\n", "no command"),
    ("```python\nassert 1 == 2\n```\n", "assert 1 == 2"),
    ("```toml\na = \n```\n", "Invalid value"),
    ("```sh\nls\n```\n", "no language"),
])
def test_a_wrong_block_is_found(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of trial can fail, and says where."""
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{text}", encoding="utf-8")
    machine = Machine(tmp_path / "folder", tmp_path / "environment")
    monkeypatch.chdir(machine.folder)
    (block,) = blocks(page)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - of whatever type: what matters is what it says
        Page(machine).block(block)
    assert said in str(caught.value) + str(getattr(caught.value, "message", "")) or said in text
    assert any("page.md" in note for note in caught.value.__notes__)
