"""Pages in a real browser: every message of its console and every request is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: The browser of the system, or the one that HARNESS_CHROMIUM names.
CHROMIUM = os.environ.get("HARNESS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Visit:
    """One page in a context of its own. ``messages``: warnings and errors; ``requests``: all addresses."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, file: Path, after: str = "") -> Any:
        """The page of a file, when it has loaded; ``after``: query and fragment of its address."""
        self.page.goto(f"{file.resolve().as_uri()}{after}")
        return self.page

    def boards(self, file: Path, after: str = "") -> Any:
        """The same, when all of its leaderboards are there."""
        page = self.open(file, after)
        page.wait_for_selector("body[data-boards=built]")
        return page

    @property
    def errors(self) -> list[str]:
        """Messages that are errors."""
        return [message for message in self.messages if message.startswith("error")]

    @property
    def outside(self) -> list[str]:
        """Requests that leave the disk."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM:
        pytest.skip("needs Chromium: install it, or name it in HARNESS_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def visit(started: Any, *, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    """A visit with a window of that width, by a reader who prefers light or dark pages."""
    context = started.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield Visit(context)
    context.close()
