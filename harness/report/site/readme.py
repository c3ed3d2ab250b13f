"""The README of a method's plugin as part of a page: no HTML of its own, no pictures, no links to files beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from ...specs import MethodSpec
from .extra import needed


def readme(spec: MethodSpec) -> str:
    """The HTML of the README beside the method's code; empty where there is none. Imports nothing."""
    module = spec.factory.partition(":")[0]
    for package in (module, module.rpartition(".")[0]):
        if hasattr(sys.modules.get(package), "__path__"):
            file = files(package).joinpath("README.md")
            return rendered(file.read_text(encoding="utf-8")) if file.is_file() else ""
    return ""


def rendered(text: str) -> str:
    """Markdown as HTML without its title, which the page has. HTML in it is shown as text, pictures are left out."""
    parser = needed("markdown_it").MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]  # opened, its text, closed
    for token in tokens:
        _unlink(token.children or ())
    html: str = parser.renderer.render(tokens, parser.options, {})
    scroll = '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>'
    return html.replace("<table>", scroll).replace("</table>", "</table></div>")


def _unlink(tokens: Sequence[Any]) -> None:
    """Leave only the text of links to files, which lie beside the plugin and not in the site."""
    kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            kept.append(str(token.attrGet("href")).startswith(("http://", "https://")))
        if token.type in ("link_open", "link_close") and not kept[-1]:
            token.tag, token.attrs = "span", {}
        if token.type == "link_close":
            kept.pop()
