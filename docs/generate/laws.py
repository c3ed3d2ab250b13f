"""The table of laws, from the suites of ``harness.testing``."""

from __future__ import annotations

from collections.abc import Callable

from harness import testing
from harness.testing.component import ComponentLaws
from harness.testing.law import Conformance, worded

from .markers import table

#: The kinds in the order of the page, with their suites; what training adds stands for itself.
SUITES = {"method": "MethodConformance", "method that trains": "TrainingConformance",
          "quantizer": "QuantizerConformance", "search": "SearchConformance", "loss": "LossConformance",
          "task": "TaskConformance", "attention adapter": "AdapterConformance", "suite of tasks": "SuiteConformance",
          "cost convention": "CostConformance"}


def laws() -> str:
    """The laws of every component, then those of each kind: what is promised, and what to mend where it is broken."""
    parts = ["### Every component\n", _table(ComponentLaws.laws())]
    for kind, name in SUITES.items():
        suite: type[Conformance] = getattr(testing, name)
        above = testing.MethodConformance if name == "TrainingConformance" else ComponentLaws
        parts += [f"### A {kind}\n" if kind[0] not in "aeiou" else f"### An {kind}\n", _table({
            law: method for law, method in suite.laws().items() if law not in above.laws()})]
    return "\n".join(parts)


def _table(found: dict[str, Callable[..., None]]) -> str:
    return table(["law", "what to do where it is broken"],
                 [[worded(law), str(getattr(method, "mend", ""))] for law, method in found.items()])
