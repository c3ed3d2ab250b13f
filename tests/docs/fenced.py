"""Fenced blocks of a Markdown page, as its readers see them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"(?:^<!-- parsed: (?P<why>[^>]+) -->\n+)?"      # a block that is not run, and why
    r"(?:^`(?P<file>[\w/.-]+)`\n\n)?"                # the name of a file that it is
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", flags=re.M | re.S)


@dataclass(frozen=True)
class Block:
    """``file``: the name on the line before, of a block that is a file. ``why``: why it is parsed only."""

    page: Path
    line: int
    language: str
    text: str
    file: str = ""
    why: str = ""

    def commands(self) -> list[str]:
        """The command lines of a console block, without comments; a line that ends in a backslash goes on."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [re.sub(r"\s+#.*", "", line[2:]).strip() for line in joined.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        indent = match["indent"]
        body = re.sub(f"^{indent}", "", match["text"], flags=re.M)
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(page, line, match["language"], body, match["file"] or "", (match["why"] or "").strip()))
    return found
