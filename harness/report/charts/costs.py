"""Accuracy against what it costs: bit-operations, bytes, or the time of making the quantized model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from . import NamedChart
from .families import method_channels
from .labels import Align, Paper
from .pareto import front
from .points import Drawn, Point, sections
from .scales import Axis, linear, logarithmic
from .style import FULL_PRECISION, GREY, HEIGHT, WIDTH, full_precision, named, percent, texts, tooltip, unique, zoom


@dataclass(frozen=True)
class Cost:
    """One kind of cost: ``number`` of a point, shown in ``unit``, which is ``divisor`` of the record's.

    ``by_bits``: bit-widths have charts of their own, because the cost hardly depends on them.
    """

    kind: str
    title: str
    unit: str
    divisor: float
    number: Callable[[Point], float | None]
    by_bits: bool = False


BOPS = Cost("accuracy-bops", "bit-operations", "G of one sample, counted as {}", 1e9, lambda point: point.bops)
MODEL_SIZE = Cost("accuracy-size", "size of the model", "MB, counted as {}", 1e6, lambda point: point.size)
TIME = Cost("accuracy-time", "time of calibration and training", "seconds", 1.0, lambda point: point.seconds,
            by_bits=True)


def against_bops(records: Iterable[Measured], *, convention: str = "plain",
                 ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section."""
    return _charts(BOPS, records, convention, ablations)


def against_size(records: Iterable[Measured], *, convention: str = "plain",
                 ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section."""
    return _charts(MODEL_SIZE, records, convention, ablations)


def against_time(records: Iterable[Measured], *, convention: str = "plain",
                 ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section and bit-width; its subtitle says on which processors the times were measured."""
    return _charts(TIME, records, convention, ablations)


def _charts(cost: Cost, records: Iterable[Measured], convention: str, ablations: Ablations) -> list[NamedChart]:
    made = []
    for section in sections(records, convention, ablations):
        known = [point for point in section.points if (cost.number(point) or 0) > 0]
        groups = ([[point for point in known if point.bits == bits] for bits in section.bits] if cost.by_bits
                  else [known])
        for points in filter(None, groups):
            at, part = (f" at {points[0].bits}", points[0].bits) if cost.by_bits else ("", "")
            made.append(named(cost.kind, section, f"{section.metric} against {cost.title}{at}",
                              _chart(cost, section, points, convention), points, part=part,
                              notes=_notes(cost, points)))
    return unique(made)


def _notes(cost: Cost, points: Sequence[Point]) -> list[str]:
    joined = "" if cost.by_bits else ", joined over its bit-widths"
    said = [f"Large marks: a method as it is{joined}; small: its variants. Grey steps: the Pareto front."]
    if cost is TIME:
        machines = sorted({f"{record.environment.cpu or record.environment.platform or 'unknown'} "
                           f"({record.environment.device}, threads: {record.environment.threads})"
                           for point in points for record in point.records})
        said.append(f"Measured on {'; '.join(machines)}.")
    return said


def _chart(cost: Cost, section: Drawn, points: Sequence[Point], convention: str) -> Any:
    rows = [_row(point, (cost.number(point) or 0) / cost.divisor, section.metric) for point in points]
    best = front([(row["cost"], row["value"]) for row in rows])
    across = logarithmic([row["cost"] for row in rows])
    up = linear([point.value for point in points] + ([] if section.full is None else [section.full]))
    x = alt.X("cost:Q", title=f"{cost.title} ({cost.unit.format(convention)})",
              axis=alt.Axis(values=list(across.ticks), format="~g"), scale=across.scale())
    y = alt.Y("value:Q", title=percent(section.metric), scale=up.scale())
    channels = method_channels(section, points)
    marks = alt.Chart(alt.Data(values=rows)).mark_point(strokeWidth=1.8).encode(
        x=x, y=y, **channels, tooltip=tooltip(("label", "bits", section.metric, "deviation over seeds", "seeds",
                                               "bit-operations (G)", "size (MB)", "seconds to make"), rows[0]),
        size=alt.Size("own:N", scale=alt.Scale(domain=[True, False], range=[120, 38]), legend=None),
        opacity=alt.Opacity("own:N", scale=alt.Scale(domain=[True, False], range=[1, 0.6]), legend=None))
    path = [{name: row[name] for name in ("cost", "value", "label", "method")} for row in rows if row["own"]]
    paths = alt.Chart(alt.Data(values=path)).mark_line(
        strokeWidth=1, opacity=0.55).encode(x=x, y=y, detail="label:N", stroke=channels["stroke"])
    corners = [{"cost": rows[index]["cost"], "value": rows[index]["value"]} for index in best]
    # The last step goes on to the edge: paying more gains nothing.
    steps = alt.Chart(alt.Data(values=[*corners, {**corners[-1], "cost": across.high}])).mark_line(
        interpolate="step-after", stroke=GREY, strokeWidth=5, opacity=0.3).encode(x=x, y=y)
    for row in rows:
        row["text"] = _name(row, cost)
    align, names = _names(section, [rows[index] for index in best], rows, across, up)
    layers = [*full_precision(section.full, x, y, across.low if align == "left" else across.high, align),
              steps, *([] if cost.by_bits else [paths]), marks.add_params(zoom()), *texts(names, x, y)]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _row(point: Point, cost: float, metric: str) -> dict[str, Any]:
    return {"cost": cost, "value": point.value, "label": point.label, "method": point.method, "bits": point.bits,
            "own": point.own, metric: round(point.value, 3),
            "deviation over seeds": None if point.sd is None else round(point.sd, 3), "seeds": len(point.records),
            "bit-operations (G)": None if point.bops is None else round(point.bops / 1e9, 4),
            "size (MB)": None if point.size is None else round(point.size / 1e6, 4),
            "seconds to make": None if point.seconds is None else round(point.seconds, 1)}


def _names(section: Drawn, best: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], across: Axis,
           up: Axis) -> tuple[Align, list[dict[str, Any]]]:
    """Where the name of the full-precision line goes, and the names of the front's points where there is room."""
    paper = Paper(WIDTH, HEIGHT)

    def pixels(row: dict[str, Any]) -> tuple[float, float]:
        return across.pixel(row["cost"], WIDTH), HEIGHT - up.pixel(row["value"], HEIGHT)
    for row in rows:
        paper.mark(*pixels(row))
    full = section.full
    align: Align = "left" if full is None else paper.line(HEIGHT - up.pixel(full, HEIGHT), FULL_PRECISION.format(full))
    found = []
    for row in sorted(best, key=lambda row: (not row["own"], -row["value"])):
        if place := paper.place(*pixels(row), row["text"]):
            found.append({"cost": row["cost"], "value": row["value"], "text": row["text"], "place": place})
    return align, found


def _name(row: dict[str, Any], cost: Cost) -> str:
    label = row["label"] if len(row["label"]) <= 28 else f"{row['method']} variant"
    return label if cost.by_bits else f"{label}  {row['bits']}"
