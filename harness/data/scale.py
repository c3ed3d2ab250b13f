"""Which scale a request means, and where its data are: the same rule for every family of tasks."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..errors import DataError, UnknownNameError
from ..request import TaskRequest

SCALES = ("mini", "full")


def chosen_scale(request: TaskRequest, mini_models: Collection[str], variable: str) -> str:
    """``"mini"`` or ``"full"``.

    A named scale is taken as it is. Without one, the scale is full where data are configured, with ``--data``
    or with the environment variable ``variable``, unless one of the task's ``mini_models`` is asked for.
    Raises :class:`UnknownNameError` for a scale that does not exist.
    """
    if request.scale is not None:
        if request.scale not in SCALES:
            raise UnknownNameError("scale", request.scale, SCALES)
        return request.scale
    if request.data:
        return "full"
    if request.model in mini_models:
        return "mini"
    return "full" if os.environ.get(variable) else "mini"


def data_folder(request: TaskRequest, title: str, variable: str, layouts: str) -> Path:
    """The folder of the full scale's data, from ``--data`` or from the environment variable ``variable``.

    ``title`` is what people call the data; ``layouts`` says how they may lie there, and is the remedy of the
    :class:`DataError` where no folder is given, or one that does not exist.
    """
    given = request.data or os.environ.get(variable)
    if not given:
        raise DataError(f"the full scale needs the pictures of {title}",
                        f"{layouts}\nOr set {variable} to that folder.")
    root = Path(given).expanduser()
    if not root.is_dir():
        source = "--data" if request.data else variable
        raise DataError(f"{source} names {given}, which is not a folder", layouts)
    return root.resolve()
