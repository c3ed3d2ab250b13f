"""The page of hooks, from ``harness/hookspecs.py``."""

from __future__ import annotations

import inspect

from harness import hookspecs

from . import roles


def hooks() -> str:
    """Every hook in the order of the file: its signature, and what its docstring says."""
    return "\n".join(f"## `{name}`\n\n```text\n{name}{_signature(name)}\n```\n\n{_text(name)}\n" for name in names())


def names() -> list[str]:
    """The hooks."""
    return [name for name in vars(hookspecs) if name.startswith("harness_")]


def _signature(name: str) -> str:
    return str(inspect.signature(getattr(hookspecs, name))).replace("'", "")


def _text(name: str) -> str:
    return roles.linked(inspect.getdoc(getattr(hookspecs, name)) or "")
