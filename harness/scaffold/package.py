"""Rendering a new plugin package."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path

from .. import __version__
from ..api import API_VERSION
from ..errors import DataError, StoreError
from .naming import Names

TEMPLATES = Path(__file__).parent / "templates"


class Kind(StrEnum):
    """What a new package contributes."""

    method = "method"
    task = "task"
    adapter = "adapter"


#: The templates that are rendered one over the other.
_LAYERS = {Kind.method: ("package", "method"), Kind.task: ("package", "task"),
           Kind.adapter: ("package", "task", "adapter")}


def make_package(kind: Kind, names: Names, output: Path) -> Path:
    """The folder of a new package in ``output``, which is whole or not there at all.

    Raises :class:`harness.DataError` where the folder exists, or copier is not installed, and
    :class:`harness.StoreError` where it cannot be written.
    """
    try:
        from copier import run_copy
    except ImportError as error:
        raise DataError("harness new makes packages with copier, which is not installed",
                        "pip install 'quantization-harness[new]'") from error

    folder = output / names.distribution
    if folder.exists():
        raise DataError(f"{folder} exists already", "Choose another name, or another folder with --output")
    words = {"dot": ".", "name": names.name, "distribution": names.distribution, "module": names.module,
             "class_name": names.class_name, "kind": kind.value,
             "api_version": API_VERSION, "harness_version": __version__}
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=f".{names.distribution}-") as temporary:
            made = Path(temporary) / names.distribution
            for layer in _LAYERS[kind]:
                run_copy(str(TEMPLATES / layer), made, data=words, defaults=True, overwrite=True, quiet=True)
            made.rename(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}",
                         "Give another folder with --output") from error
    return folder
