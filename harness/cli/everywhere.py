"""Options before the name of a command, which hold for every command."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ..discovery import STRICT_VARIABLE


def everywhere(strict: Annotated[bool, typer.Option(
        "--strict", help=f"A plugin that cannot be used is an error (exit code 2), not a warning; {STRICT_VARIABLE}=1 "
        "does the same.")] = False) -> None:
    """Set what the command finds."""
    if strict:
        os.environ[STRICT_VARIABLE] = "1"  # for processes that it starts, too
