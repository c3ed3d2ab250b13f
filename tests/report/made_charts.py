"""Made-up records as charts need them, and what a chart's specification has in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from made_records import make_record

from harness.report.charts import NamedChart
from harness.results.record import Costs, Record


def charted(method: str = "minmax", bits: str = "4/4", seed: int = 0, *, options: dict[str, Any] | None = None,
            budget: str = "", bops: float = 1e9, size: float = 1e6, **fields: Any) -> Record:
    """A record with chosen costs, options (of which its configuration consists) and budget."""
    record = make_record(method, bits, seed, options=options or {}, configuration=options or {},
                         costs=Costs(macs=1000, bops={"plain": bops}, parameters=10, sizes={"plain": size}), **fields)
    return record.model_copy(update={"asked": record.asked.model_copy(update={"budget": budget})})


def rows(chart: NamedChart, *names: str) -> list[dict[str, Any]]:
    """The rows of the chart's data that have all of these fields."""
    return [row for values in _values(chart.to_dict()) for row in values if all(name in row for name in names)]


def text(chart: NamedChart) -> str:
    """The whole specification."""
    return json.dumps(chart.to_dict(), ensure_ascii=False)


def _values(part: Any) -> Iterator[list[dict[str, Any]]]:
    if isinstance(part, dict):
        for name, inner in part.items():
            if name == "datasets":
                yield from inner.values()
            elif name == "values" and isinstance(inner, list) and inner and isinstance(inner[0], dict):
                yield inner
            else:
                yield from _values(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _values(inner)
