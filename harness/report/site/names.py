"""Where each page of the site lies, from its root. Names out of records become safe names of files."""

from __future__ import annotations

import re

from ...results.identity import digest
from ...results.tables.sections import Scope


def task_page(task: str) -> str:
    """The leaderboards of a task or suite."""
    return f"tasks/{file_name(task)}.html"


def charts_page(task: str) -> str:
    """The charts of a task."""
    return f"charts/{file_name(task)}.html"


def method_page(method: str) -> str:
    """A method."""
    return f"methods/{file_name(method)}.html"


def record_page(identity: str) -> str:
    """A record."""
    return f"records/{identity}.html"


def anchor(scope: Scope) -> str:
    """A section of a page: the same on the page of the task and on that of its charts."""
    return "s-" + digest([str(part) for part in vars(scope).values()])[:8]


def file_name(text: str) -> str:
    """``text`` where it can be a file's name everywhere, else something like it that nothing else is called."""
    safe = re.sub(r"[^a-z0-9_-]+", "_", text.lower())[:80]
    return safe if safe == text else f"{safe}-{digest(text)[:6]}"
