"""HTML that stands alone: well-formed, escaped, and understandable without seeing it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from made_tables import made_table

from harness.report.document import Document, Part
from harness.report.grid import Column, Grid
from harness.report.html import to_html
from harness.report.tables import render

EVIL = '<script>alert(1)</script>&"\''


class Page(HTMLParser):
    """The elements of a page; raises where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_page() -> None:
    page = Page(render(made_table(), "html"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("table")) == len(page.all("caption")) == 2
    assert len(page.all("h1")) == 1
    heads = page.all("th")
    assert {head.get("scope") for head in heads} == {"col", "row"}
    assert sum(head["scope"] == "row" for head in heads) == 5 + 2, "every line has the cell that names it"
    assert len(page.all("tbody")) == 3 + 1
    assert "Published, not measured here" in " ".join(page.texts)


def test_it_needs_nothing_else() -> None:
    text = render(made_table(), "html")
    assert not re.search(r"(?:src|href)=|@import|url\(|https?:", text)
    assert "<script" not in text


def test_a_wide_table_can_be_scrolled_with_the_keyboard() -> None:
    page = Page(render(made_table(), "html"))
    scrolled = [each for each in page.all("div") if each.get("class") == "scroll"]
    assert [(each["tabindex"], each["role"]) for each in scrolled] == [("0", "region")] * 2
    assert all(each["aria-label"] for each in scrolled)


def test_everything_is_escaped() -> None:
    grid = Grid((Column(EVIL, EVIL, unit=EVIL), Column("b", EVIL, "number")), (((EVIL, EVIL),),), EVIL)
    part = Part(EVIL, grid, (EVIL,), EVIL, (EVIL,), (grid,))
    text = to_html(Document(EVIL, (part,), (EVIL,), EVIL)) + to_html(Document(EVIL, (), empty=EVIL))
    assert "<script" not in text
    assert "alert" in text
    half = text.index("<!doctype html>", 1)
    assert all(not page.all("script") for page in (Page(text[:half]), Page(text[half:])))
