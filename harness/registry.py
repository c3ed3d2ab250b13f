"""The registry: every contributed component by kind and name, with errors that help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Generic

import pluggy

from .discovery import BLOCK_VARIABLE, STRICT_VARIABLE, Plugin, discover, one_line, plugin_manager, strict
from .errors import PluginError, UnknownNameError
from .options import Choice, Options, mutable_option, resolve
from .specs import (
    NAME_PATTERN,
    AdapterSpec,
    CostSpec,
    LossSpec,
    MethodSpec,
    QuantizerSpec,
    SearchSpec,
    Spec,
    SpecType,
    SuiteSpec,
    TaskSpec,
    absolute,
)


class Catalogue(Mapping[str, SpecType], Generic[SpecType]):
    """The components of one kind. A name that two plugins claim is usable from neither."""

    def __init__(self, kind: str, spec: type[SpecType]) -> None:
        self.kind, self.spec = kind, spec
        self._specs: dict[str, SpecType] = {}
        self._clashes: dict[str, list[str]] = {}

    def add(self, spec: SpecType) -> None:
        """Add a description; raises :class:`PluginError` for a wrong type, a bad name or a clash."""
        if not isinstance(spec, self.spec):
            raise PluginError(f"the hook for a {self.kind} returned {type(spec).__name__}",
                              f"Return {self.spec.__name__} objects")
        if not NAME_PATTERN.fullmatch(spec.name):
            raise PluginError(f"{self.kind} name {spec.name!r} is not allowed",
                              "Use lower-case letters, digits, '-' and '_', starting with a letter")
        if not (isinstance(spec.options, type) and issubclass(spec.options, Options)):
            raise PluginError(f"the options of {self.kind} {spec.name!r} are {spec.options!r}",
                              "Give the class itself, a subclass of harness.Options")
        if mutable := mutable_option(spec.options):
            raise PluginError(f"{self.kind} {spec.name!r}: {mutable}",
                              "Use a frozen subclass of harness.Options; a tuple for a list, or a default_factory")
        if spec.name in self._specs:
            first = self._specs.pop(spec.name)
            self._clashes[spec.name] = [first.plugin]
        if spec.name in self._clashes:
            self._clashes[spec.name].append(spec.plugin)
            raise self._clash(spec.name)
        self._specs[spec.name] = spec

    def _clash(self, name: str) -> PluginError:
        return PluginError(f"{self.kind} {name!r} is contributed by {' and '.join(self._clashes[name])}",
                           f"Uninstall all but one of them, or block them with {BLOCK_VARIABLE}")

    def __getitem__(self, name: str) -> SpecType:
        if name in self._clashes:
            raise self._clash(name)
        if name not in self._specs:
            raise UnknownNameError(self.kind, name, self._specs)
        return self._specs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._specs))

    def __len__(self) -> int:
        return len(self._specs)


class Registry:
    """Everything that the installed plugins contribute."""

    def __init__(self, manager: pluggy.PluginManager, plugins: list[Plugin]) -> None:
        self.manager, self.plugins = manager, plugins
        self.methods = Catalogue("method", MethodSpec)
        self.quantizers = Catalogue("quantizer", QuantizerSpec)
        self.searches = Catalogue("search", SearchSpec)
        self.losses = Catalogue("loss", LossSpec)
        self.tasks = Catalogue("task", TaskSpec)
        self.suites = Catalogue("suite of tasks", SuiteSpec)
        self.adapters = Catalogue("attention adapter", AdapterSpec)
        self.costs = Catalogue("cost convention", CostSpec)
        for plugin in plugins:
            if not plugin.problem:
                self._collect(plugin)

    @property
    def problems(self) -> list[str]:
        """One line for each plugin that could not be used (those that the user blocked left out)."""
        return [f"{plugin.source}: {plugin.problem}" for plugin in self.plugins
                if plugin.problem and not plugin.blocked]

    def _collect(self, plugin: Plugin) -> None:
        module = self.manager.get_plugin(plugin.name)
        package = getattr(module, "__package__", "") or getattr(module, "__name__", "")
        catalogues: dict[str, Catalogue[Any]] = {
            "harness_methods": self.methods, "harness_quantizers": self.quantizers,
            "harness_searches": self.searches, "harness_losses": self.losses,
            "harness_tasks": self.tasks, "harness_suites": self.suites, "harness_adapters": self.adapters,
            "harness_costs": self.costs}
        for hook, catalogue in catalogues.items():
            contribute: Callable[[], Iterable[Spec]] | None = getattr(module, hook, None)
            if contribute is None:
                continue
            try:
                for spec in contribute():
                    catalogue.add(absolute(spec, package, plugin.source) if isinstance(spec, Spec) else spec)
            except Exception as error:  # noqa: BLE001 - reported; the other hooks and plugins go on
                problem = f"{hook}: {one_line(error)}"
                plugin.problem = f"{plugin.problem}; {problem}" if plugin.problem else problem

    def tasks_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names of tasks, those of a suite's in its place."""
        each = (self.suites[name].tasks if name in self.suites else (name,) for name in names)
        return tuple(dict.fromkeys(task for tasks in each for task in tasks))

    @property
    def ablations(self) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        """Method -> name of an ablation -> its options."""
        return {name: spec.ablations for name, spec in self.methods.items()}

    def component(self, spec: Spec) -> Any:
        """Import the class or function that a description points to."""
        module, _, attribute = spec.factory.partition(":")
        return import_attribute(module, attribute, spec.plugin)

    def create(self, catalogue: Catalogue[Any], choice: Choice, *args: Any, **kwargs: Any) -> Any:
        """Build a chosen component: ``factory(options, *args, **kwargs)`` with validated options."""
        spec = catalogue[choice.name]
        return self.component(spec)(self.options(catalogue, choice), *args, **kwargs)

    def options(self, catalogue: Catalogue[Any], choice: Choice) -> Options:
        """The validated options of a chosen component."""
        spec = catalogue[choice.name]
        return resolve(spec.options, choice.options, f"{catalogue.kind} {choice.name}")

    def published(self, spec: MethodSpec | TaskSpec) -> str:
        """The text of the data file with a paper's rows; empty where there is none."""
        return _resource(spec.published)

    def claims(self, spec: MethodSpec | TaskSpec) -> str:
        """The text of the data file with a paper's claims; empty where there is none."""
        return _resource(spec.claims)


def _resource(place: str) -> str:
    if not place:
        return ""
    package, _, name = place.partition(":")
    return files(package).joinpath(name).read_text(encoding="utf-8")


def import_attribute(module: str, attribute: str, source: str) -> Any:
    """``module.attribute``, or a :class:`PluginError` that names the plugin it came from."""
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{source} cannot load {module}:{attribute}: {error}",
                          "Install what the plugin needs (harness doctor), or report it to its author"
                          ) from error


@cache
def installed() -> Registry:
    """The registry of the installed plugins, loaded once per process, whatever is wrong with them."""
    manager = plugin_manager()
    return Registry(manager, discover(manager))


def registry() -> Registry:
    """The same. In strict mode, raises :class:`PluginError` where a plugin cannot be used."""
    known = installed()
    if strict() and known.problems:
        raise PluginError("\n".join(known.problems),
                          f"Mend, uninstall or block them ({BLOCK_VARIABLE}), or leave strict mode ({STRICT_VARIABLE})")
    return known
