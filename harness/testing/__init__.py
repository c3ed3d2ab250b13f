"""What plugin authors test their package with: suites of laws to keep, and a tiny transformer to keep them on.

Three ways run the same laws::

    harness check mymethod                              # a method, another component, or a whole plugin
    pytest --pyargs harness.testing --plugin mymethod

    from harness.testing import MethodConformance       # in the package's own tests

    class TestMyMethod(MethodConformance):
        method = "mymethod"

Importing this needs no torch; the suites are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters import AdapterConformance
    from .conformance import MethodConformance
    from .costs import CostConformance
    from .losses import LossConformance
    from .quantizers import QuantizerConformance
    from .searches import SearchConformance
    from .suites import SuiteConformance
    from .tasks import TaskConformance
    from .training import TrainingConformance

_MODULES = {"AdapterConformance": "adapters", "CostConformance": "costs", "LossConformance": "losses",
            "MethodConformance": "conformance", "QuantizerConformance": "quantizers", "SearchConformance": "searches",
            "SuiteConformance": "suites", "TaskConformance": "tasks", "TrainingConformance": "training"}

__all__ = ["AdapterConformance", "CostConformance", "LossConformance", "MethodConformance", "QuantizerConformance",
           "SearchConformance", "SuiteConformance", "TaskConformance", "TrainingConformance"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'harness.testing' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
