"""Runs in MLflow, as they go. Does nothing unless a tracking server is named; imports MLflow only then."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from harness import hookimpl

if TYPE_CHECKING:
    from .run_log import RunLog

#: Where to log, before ``MLFLOW_TRACKING_URI``; ``off`` for nowhere.
VARIABLE = "HARNESS_MLFLOW"


@hookimpl
def harness_run_started(run: Any) -> None:
    _tell("started", run)


@hookimpl
def harness_run_phase(run: Any, phase: str) -> None:
    _tell("entered", run, phase)


@hookimpl
def harness_run_finished(run: Any, record: Any) -> None:
    _tell("ended", run, record)


@hookimpl
def harness_run_failed(run: Any, record: Any) -> None:
    _tell("ended", run, record)


def tracking_uri() -> str:
    """Where runs are logged; empty for nowhere."""
    uri = os.environ.get(VARIABLE) or os.environ.get("MLFLOW_TRACKING_URI", "")
    return "" if uri == "off" else uri


def _tell(event: str, run: Any, *details: Any) -> None:
    """Log an event. Whatever goes wrong is a warning, and nothing more is logged of this run; the next tries again.

    Of several processes that train together the first alone logs.
    """
    uri = tracking_uri()
    if not uri or os.environ.get("RANK", "0") != "0":
        return
    try:
        _log(uri).tell(event, run, *details)
    except ImportError as error:
        _warn(f"{error}; install it: pip install 'quantization-harness[mlflow]', or unset MLFLOW_TRACKING_URI")
    except Exception as error:  # noqa: BLE001 - an onlooker must not take the run down, nor other plugins' hooks
        _warn(f"{type(error).__name__}: {error}")


def _warn(reason: str) -> None:
    warnings.warn(f"MLflow: {' '.join(reason.split())[:300]}", RuntimeWarning, stacklevel=2)


@cache
def _log(uri: str) -> RunLog:
    from .run_log import RunLog

    return RunLog(uri)
