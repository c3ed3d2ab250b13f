"""Errors that a user can act on.

Everything here is shown as one short message (what was wrong, where, what to do), without a
traceback, and ends the command with exit code 2. Inside a study the same message becomes the
reason of a recorded failure. Any other exception is a fault of ours or of a plugin and keeps its
traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """A mistake that the user can mend. ``remedy`` says how."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class UnknownNameError(HarnessError):
    """A method, task, quantizer, search, loss, model or option that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        listing = ", ".join(known) if known else "none"
        super().__init__(f"unknown {kind} {name!r}", f"{hint}Known: {listing}")


class OptionError(HarnessError):
    """An option with a wrong name, type or value."""


class PluginError(HarnessError):
    """A plugin that breaks the contract (clash of names, misspelt hook, import failure)."""


class DataError(HarnessError):
    """Data or weights that are missing, damaged, or not what the run asked for."""


class QuantizationError(HarnessError):
    """A combination that cannot be quantized as asked (bits, budget, NaN, unsupported site)."""


class StoreError(HarnessError):
    """A results folder that cannot be read or written."""
