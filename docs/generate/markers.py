"""Places in a page that the build fills."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MARKER = re.compile(r"^\{\{ (\w+) \}\}$", flags=re.M)


def filled(markdown: str, generated: Mapping[str, Callable[[], str]]) -> str:
    """``markdown`` with what the functions give in place of ``{{ name }}``; an unknown name is a KeyError."""
    return MARKER.sub(lambda found: generated[found[1]](), markdown)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; bars and line breaks in cells are kept from ending them."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
