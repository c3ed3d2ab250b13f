"""Docstrings name things as Sphinx does (``:class:`harness.Site```); the site wants links."""

from __future__ import annotations

import re
from typing import Any

import griffe

import harness

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([^`]+)`")
LITERAL = re.compile(r"``(.+?)``", flags=re.S)


def linked(text: str) -> str:
    """``text`` as Markdown: public names become links, other names code."""
    return LITERAL.sub(r"`\1`", ROLE.sub(lambda found: _link(found[1]), text))


def _link(name: str) -> str:
    """``harness.Context.trial`` is linked as what it is a part of; a module's or a private name is code."""
    public = name.removeprefix("harness.").split(".")[0]
    if public not in harness.__all__:
        return f"`{name}`"
    return f"[`{name.removeprefix('harness.')}`][harness.{public}]"


class Roles(griffe.Extension):
    """Rewrites the docstrings that mkdocstrings reads."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for everything that griffe finds."""
        if obj.docstring is not None:
            obj.docstring.value = linked(obj.docstring.value)
