"""Which plugin a frame of Python code, or an error, belongs to."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from types import FrameType

from ..discovery import Plugin
from ..hookspecs import GROUP
from ..registry import Registry


class Owners:
    """Finds the plugin of a module by the package that the plugin's entry point lies in."""

    def __init__(self, registry: Registry) -> None:
        self._packages = {_package(plugin): plugin for plugin in registry.plugins}

    def of(self, module: str) -> Plugin | None:
        """The plugin that ``module`` is part of; ``None`` for the harness itself and for everybody else's code."""
        while module and module != GROUP:
            if module in self._packages:
                return self._packages[module]
            module = module.rpartition(".")[0]
        return None

    def innermost(self, frame: FrameType | None) -> Plugin | None:
        """The plugin whose code acts at ``frame``, unless it has called the harness, which acts for it there."""
        while frame is not None:
            module = str(frame.f_globals.get("__name__", ""))
            if plugin := self.of(module):
                return plugin
            if module.split(".")[0] == GROUP:
                return None
            frame = frame.f_back
        return None

    def raised_in(self, error: BaseException) -> Plugin | None:
        """The plugin nearest to where ``error`` was raised."""
        return next((plugin for module in _modules(error) if (plugin := self.of(module))), None)


def _package(plugin: Plugin) -> str:
    name = plugin.module.partition(":")[0]
    return str(getattr(sys.modules.get(name), "__package__", "") or name)


def _modules(error: BaseException) -> Iterator[str]:
    """The names of the modules that ``error`` came through, innermost first."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return (str(frame.f_globals.get("__name__", "")) for frame in reversed(frames))
