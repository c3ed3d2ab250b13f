"""The part of pytest: ``--plugin NAME``, and what to mend below a law that is broken. Light: no torch."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--plugin``."""
    parser.getgroup("harness", "conformance of plugins of the quantization harness").addoption(
        "--plugin", dest="harness_plugins", metavar="NAME", action="append", default=[],
        help="check this plugin, or component, of the quantization harness (with --pyargs harness.testing); "
        "may be repeated")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Say what to mend below the failure of a law."""
    report = yield
    if report.failed and (mend := _mend(item)):
        report.sections.append(("what to mend", mend))
    return report


def _mend(item: pytest.Item) -> str:
    """Of a law in a class of one's own, or of one that :mod:`harness.testing.test_plugin` tries."""
    tried = getattr(getattr(item, "callspec", None), "params", {})
    law = getattr(tried.get("suite"), str(tried.get("law")), getattr(item, "function", None))
    return str(getattr(law, "mend", ""))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the hints of what was checked."""
    for label, hints in config.stash.get(HINTS, {}).items():
        for hint in hints:
            terminalreporter.write_line(f"hint: {label}: {hint}")


#: Label of a component -> its hints, once its last law was tried.
HINTS = pytest.StashKey[dict[str, list[str]]]()
