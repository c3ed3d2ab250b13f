"""How errors reach the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..errors import HarnessError

INTERRUPTED = 130
USER_ERROR = 2


@contextmanager
def shown(debug: bool) -> Iterator[None]:
    """Print a :class:`HarnessError` as a message and leave with code 2; keep tracebacks for ``--debug``."""
    try:
        yield
    except HarnessError as error:
        if debug:
            raise
        typer.secho(f"error: {error.message}", fg="red", bold=True, err=True)
        if error.remedy:
            typer.echo(f"  {error.remedy}", err=True)
        raise SystemExit(USER_ERROR) from None
    except BrokenPipeError:  # e.g. harness list methods | head -1
        raise SystemExit(0) from None
