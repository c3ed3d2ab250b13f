"""The charts of a task as the page's script takes them: Vega-Lite with the data inside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...results.record import Record
from ...results.tables.row_labels import Ablations
from ...results.tables.sections import Scope
from ...results.tables.table import heading_of
from ..charts import CHARTS, NamedChart
from .names import anchor


def charts_of(records: Sequence[Record], ablations: Ablations) -> list[NamedChart]:
    """Every chart that the records of a task can be drawn as."""
    return [chart for kind in CHARTS.values() for chart in kind.build(records, ablations=ablations)]


@dataclass(frozen=True)
class ChartSection:
    """The charts of records that may be compared. ``name`` is its place in the page."""

    name: str
    heading: str
    charts: tuple[NamedChart, ...]


def sections_of(charts: Iterable[NamedChart]) -> list[ChartSection]:
    """The charts by their scopes, in the order of the leaderboards."""
    found: dict[Scope, list[NamedChart]] = {}
    for chart in charts:
        found.setdefault(chart.scope, []).append(chart)
    return [ChartSection(anchor(scope), heading_of(scope), tuple(found[scope]))
            for scope in sorted(found, key=lambda scope: scope.order)]


def chart_script(charts: Sequence[NamedChart]) -> str:
    """A script with the charts by their names, since a page that was opened from disk cannot fetch data."""
    # Unchecked: what the charts build is checked by their own tests, and checking takes three quarters of the time.
    specifications = {chart.name: chart.chart.to_dict(validate=False) for chart in charts}
    return f"window.harnessCharts = {json.dumps(specifications, separators=(',', ':'))};\n"
