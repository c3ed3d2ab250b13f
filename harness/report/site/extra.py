"""Libraries that only the site needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import PluginError


def needed(module: str) -> Any:
    """An optional library; :class:`harness.PluginError` with the command that installs it where it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(f"the site needs {module}, which cannot be imported: {error}",
                          "Install it: pip install 'quantization-harness[report]'") from error
