"""A plugin's README in a page: its text and tables, and nothing that acts, loads or leads nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.registry import registry
from harness.report.site.readme import readme, rendered
from harness.specs import MethodSpec


def test_title_is_left_out_and_the_rest_is_there() -> None:
    html = rendered("# name\n\nText with `code`.\n\n## Part\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert "name" not in html
    assert "<code>code</code>" in html
    assert "<h2>Part</h2>" in html
    assert html.count('<div class="scroll"') == html.count("</table></div>") == 1
    assert "<td>2</td>" in html


@pytest.mark.parametrize("text", ["<script>harm()</script>", "a <img src=x onerror=harm()> b", "![alt](http://x/y.png)",
                                  "[a](javascript:harm())", "<iframe src='http://x'></iframe>"])
def test_nothing_in_it_acts_or_loads(text: str) -> None:
    html = rendered(text)
    for tag in ("<script", "<img", "<iframe", 'href="javascript'):
        assert tag not in html


def test_links_out_stay_and_links_to_files_are_text() -> None:
    html = rendered("[paper](https://arxiv.org/abs/1), [file](../x.md) and [**bold** part](#part)")
    assert '<a href="https://arxiv.org/abs/1">paper</a>' in html
    assert html.count("<a ") == 1
    assert "<span>file</span>" in html
    assert "<strong>bold</strong> part</span>" in html


def test_every_method_of_the_harness_has_one_and_nothing_heavy_is_imported() -> None:
    methods = list(registry().methods.values())
    before = set(sys.modules)
    for spec in methods:
        assert "<table>" in readme(spec) or spec.name == "full_precision", spec.name
    assert not {name for name in set(sys.modules) - before if name.startswith("harness_")}


def test_a_method_without_a_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "__init__.py").write_text("")
    (tmp_path / "single.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("bare")
    __import__("single")
    for factory in ("bare:Method", "bare.method:Method", "single:Method", "unknown.module:Method"):
        assert readme(MethodSpec(name="mine", summary="", quantizes="", factory=factory)) == ""
    (tmp_path / "bare" / "README.md").write_text("Mine.")
    assert "Mine." in readme(MethodSpec(name="mine", summary="", quantizes="", factory="bare.method:Method"))
    monkeypatch.delitem(sys.modules, "bare")
    monkeypatch.delitem(sys.modules, "single")
