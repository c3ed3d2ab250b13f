"""What every suite of tasks promises; subclass :class:`SuiteConformance` in your package's tests."""

from __future__ import annotations

from typing import ClassVar

from ..registry import registry
from .component import ComponentLaws
from .law import law, require


class SuiteConformance(ComponentLaws):
    """Checks the columns and averages of one suite; ``suite`` is its registered name."""

    kind = "suite"
    suite: ClassVar[str]

    @law("Write columns as TASK.METRIC, with names of tasks that are installed")
    def test_its_columns_are_metrics_of_known_tasks(self) -> None:
        require(bool(self.spec.columns), "it has no columns")
        for column in self.spec.columns:
            task, _, metric = column.partition(".")
            require(task in registry().tasks, f"{column}: there is no task {task!r}")
            require(bool(metric), f"{column} names no metric")

    @law("Average columns of the suite")
    def test_its_averages_are_of_its_columns(self) -> None:
        for name, columns in self.spec.averages.items():
            unknown = set(columns) - set(self.spec.columns)
            require(bool(columns) and not unknown, f"{name} averages {', '.join(sorted(unknown)) or 'nothing'}")
