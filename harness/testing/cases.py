"""From the name of a plugin or a component to the suites that check it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UnknownNameError
from ..registry import Registry
from ..results.record import FULL_PRECISION
from ..specs import MethodSpec, Spec
from .law import CATALOGUES

if TYPE_CHECKING:
    from ..discovery import Plugin
    from .law import Conformance


@dataclass(frozen=True)
class Case:
    """A component to check, and the kind of its suite (``training``: a method that trains)."""

    kind: str
    spec: Spec

    @property
    def label(self) -> str:
        """How reports call it: ``method minmax``."""
        return f"{self.kind} {self.spec.name}"

    def suite(self, options: Mapping[str, Any] | None = None) -> Conformance:
        """Its suite, with options as ``--set`` gives them; torch is imported here."""
        base = _suite(self)
        return type(base.__name__, (base,), {self.kind: self.spec.name, "options": dict(options or {})})()


def cases(registry: Registry, names: Collection[str]) -> list[Case]:
    """What ``names`` of plugins and of components mean; a plugin stands for all that it contributes.

    Raises :class:`harness.UnknownNameError`. A plugin without components (a listener) has no cases.
    """
    known = _all(registry)
    plugins = {plugin.name: plugin for plugin in registry.plugins}
    found: dict[tuple[str, str], Case] = {}
    for name in names:
        chosen = [case for case in known if case.spec.name == name or (
            name in plugins and case.spec.plugin == plugins[name].source)]
        if not chosen and name not in plugins:
            raise UnknownNameError("plugin, method or component", name, {*plugins, *(case.spec.name for case in known)})
        found |= {(case.kind, case.spec.name): case for case in chosen}
    return list(found.values())


def plugins_of(registry: Registry, names: Collection[str]) -> list[Plugin]:
    """The plugins among ``names``, and those that contribute the components among them."""
    sources = {case.spec.plugin for case in cases(registry, names)}
    return [plugin for plugin in registry.plugins if plugin.name in names or plugin.source in sources]


def _all(registry: Registry) -> list[Case]:
    return [Case(kind, spec) for kind, catalogue in CATALOGUES.items()
            for spec in getattr(registry, catalogue).values() if spec.name != FULL_PRECISION]


def _suite(case: Case) -> type[Conformance]:
    from . import adapters, conformance, costs, losses, quantizers, searches, suites, tasks, training

    if isinstance(case.spec, MethodSpec):
        return training.TrainingConformance if case.spec.trains else conformance.MethodConformance
    return {"quantizer": quantizers.QuantizerConformance, "search": searches.SearchConformance,
            "loss": losses.LossConformance, "task": tasks.TaskConformance, "adapter": adapters.AdapterConformance,
            "suite": suites.SuiteConformance, "cost": costs.CostConformance}[case.kind]
