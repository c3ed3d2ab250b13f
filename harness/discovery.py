"""Finding plugins, and keeping a broken one from taking the others down.

Each entry point of the group ``harness`` is loaded on its own. What goes wrong (import error,
misspelt hook, wrong arguments, a hook that raises) is kept as the plugin's ``problem`` and shown by
``harness doctor`` and, in one line, by every other command. Before any of a plugin's code is run, the user may have
switched it off, and the API that it declares is compared with the harness's.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from . import hookspecs
from .api import API_VERSION, api_problem, declared_api
from .hookspecs import GROUP
from .located import located, source_path

#: Names of plugins (comma-separated) that are not loaded.
BLOCK_VARIABLE = "HARNESS_BLOCK_PLUGINS"
#: Names of plugins (comma-separated) beside which none is loaded but the core.
ONLY_VARIABLE = "HARNESS_PLUGINS"
#: Set to 1, a plugin that cannot be used is an error and not a warning.
STRICT_VARIABLE = "HARNESS_STRICT"
CORE = "core"
DISTRIBUTION = "quantization-harness"


@dataclass
class Plugin:
    """One entry point: where it comes from, and why it is not used (``problem``, one line; empty if it is).

    ``blocked``: the user asked for it not to be loaded, so that the problem is not worth a warning. ``api``: the
    version of the API that it declares, if any.
    """

    name: str
    module: str
    distribution: str
    version: str
    problem: str = ""
    blocked: bool = False
    api: str = ""

    @property
    def source(self) -> str:
        """What errors call it: its name, distribution and version."""
        return f"plugin {self.name!r} ({self.distribution} {self.version}".rstrip() + ")"

    @property
    def path(self) -> str:
        """The folder or file of its code; empty where it is not found."""
        return source_path(self.module)


def plugin_manager() -> pluggy.PluginManager:
    """An empty manager that knows every hook of :mod:`harness.hookspecs`."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return manager


def discover(manager: pluggy.PluginManager, points: Iterable[EntryPoint] | None = None) -> list[Plugin]:
    """Load and register every plugin; never raises for a plugin's fault."""
    blocked, only = listed(BLOCK_VARIABLE), listed(ONLY_VARIABLE)
    found = entry_points(group=GROUP) if points is None else points
    plugins = []
    for point in sorted(found, key=lambda p: p.name):
        plugin = _described(point)
        plugins.append(plugin)
        if point.name in blocked:
            plugin.problem, plugin.blocked = f"blocked by {BLOCK_VARIABLE}", True
        elif only and point.name not in only and point.name != CORE:
            plugin.problem, plugin.blocked = f"not among those of {ONLY_VARIABLE}", True
        elif other := next((p for p in plugins[:-1] if p.name == plugin.name and not p.blocked), None):
            plugin.problem = f"{other.source} has the same name; uninstall one of them"
        else:
            plugin.problem = api_problem(plugin.api)
        if not plugin.problem:
            try:
                register(manager, plugin, point.load())
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may fail in any way, and must not take others down
                plugin.problem = one_line(error)
    return plugins + _not_installed(only, [plugin.name for plugin in plugins])


def listed(variable: str) -> set[str]:
    """The names in an environment variable, which are separated by commas."""
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def strict() -> bool:
    """Whether a plugin that cannot be used is an error."""
    return os.environ.get(STRICT_VARIABLE, "").strip().lower() not in ("", "0", "false", "no", "off")


def _described(point: EntryPoint) -> Plugin:
    distribution = point.dist
    name, version = (distribution.name, distribution.version) if distribution else ("unknown", "")
    declared = declared_api(located(point.module))
    # The harness's own plugins come with it, and need not say for which version they are.
    return Plugin(point.name, point.value, name, version,
                  api=declared or (API_VERSION if name == DISTRIBUTION else ""))


def _not_installed(only: set[str], names: list[str]) -> list[Plugin]:
    """Stand-ins for names in :data:`ONLY_VARIABLE` that no plugin has: a misspelt one would silently be left out."""
    missing = []
    for name in sorted(only - set(names)):
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        missing.append(Plugin(name, "", "not installed", "", f"{ONLY_VARIABLE} names it{hint}"))
    return missing


def one_line(error: BaseException) -> str:
    """An error as plugins' problems are shown: its type and its message, without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def register(manager: pluggy.PluginManager, plugin: Plugin, module: ModuleType | Any) -> None:
    """Register one loaded module; on any fault it is unregistered and ``plugin.problem`` says why."""
    try:
        manager.register(module, plugin.name)
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(plugin.name):  # pluggy keeps a plugin whose validation failed
            manager.unregister(name=plugin.name)
        plugin.problem = one_line(error)
        return
    known = [name for name in vars(hookspecs) if name.startswith("harness_")]
    callers = manager.get_hookcallers(module) or []
    misspelt = [caller.name for caller in callers if not caller.has_spec()]
    unmarked = [name for name in dir(module)
                if name.startswith("harness_") and callable(getattr(module, name))
                and name not in {caller.name for caller in callers}]
    if misspelt or unmarked:
        manager.unregister(name=plugin.name)
        name = (misspelt or unmarked)[0]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close and close[0] != name else ""
        plugin.problem = (f"unknown hook {name!r}{hint}" if misspelt
                          else f"function {name!r} lacks the @hookimpl marker{hint}")
