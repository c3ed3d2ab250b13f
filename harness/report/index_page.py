"""``index.md``: what there is in a results folder, for those who look at it on a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from .markdown import escape


@dataclass(frozen=True)
class Made:
    """One generated file: path in the results folder and text; its place in the index, and what that says of it.

    Files of one ``title`` are one thing in several formats.
    """

    path: str
    text: str
    group: str
    title: str
    about: str = ""


def index_page(made: Sequence[Made], records: int) -> str:
    """The index of ``made``, in its order."""
    lines = ["# Index", "", f"Made from the {records} records of this folder by `harness report`; `harness report "
             "--check` compares. `generated.sha256` lists every file that is made, so do not edit those.", ""]
    for group, members in groupby(made, key=lambda each: each.group):
        lines += [f"## {group}", ""]
        for title, files in groupby(members, key=lambda each: each.title):
            lines.append(_line(title, list(files)))
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(title: str, files: Sequence[Made]) -> str:
    first, *others = files
    more = "".join(f", [{each.path.rpartition('.')[2]}]({each.path})" for each in others)
    about = f": {escape(first.about)}" if first.about else ""
    return f"- [{escape(title)}]({first.path}){more}{about}"
