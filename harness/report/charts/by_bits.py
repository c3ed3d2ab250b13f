"""Accuracy against bit-width, with the deviation over seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from ...results.tables.selection import bits_order
from . import NamedChart
from .families import method_channels, shown_methods
from .labels import Align, Paper
from .points import Drawn, Point, sections
from .scales import Axis, linear
from .style import FULL_PRECISION, HEIGHT, WIDTH, full_precision, named, percent, texts, tooltip, unique

#: Share of the space of one bit-width that its marks take.
SPREAD = 0.76


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section: methods as they are, and variants that were measured at more bit-widths than these."""
    made = []
    for section in sections(records, convention, ablations):
        points = _shown(section)
        several = any(point.sd is not None for point in points)
        note = "Marks of one bit-width stand side by side; " + (
            "bars: plus and minus the standard deviation over seeds." if several else "one seed each.")
        made.append(named("accuracy-bits", section, f"{section.metric} against bit-width", _chart(section, points),
                          points, notes=[note]))
    return unique(made)


def _shown(section: Drawn) -> list[Point]:
    widths = Counter(point.label for point in section.points)
    own = {(point.method, point.budget): widths[point.label] for point in section.points if point.own}
    return [point for point in section.points
            if point.own or widths[point.label] > own[point.method, point.budget]]


def _chart(section: Drawn, points: Sequence[Point]) -> Any:
    bits = sorted({point.bits for point in points}, key=bits_order)
    across = Axis(-0.5, len(bits) - 0.5, False, tuple(range(len(bits))))
    up = linear([point.value + sign * (point.sd or 0.0) for point in points for sign in (-1, 1)]
                + ([] if section.full is None else [section.full]))
    rows = _rows(section, points, bits)
    x = alt.X("at:Q", title="bits of weights/activations", scale=across.scale(), axis=alt.Axis(
        values=list(across.ticks), labelExpr=f"{json.dumps(bits)}[datum.value]", labelFontSize=13, grid=False))
    y = alt.Y("value:Q", title=percent(section.metric), scale=up.scale())
    channels = method_channels(section, points)
    base = alt.Chart()
    dash = alt.StrokeDash("own:N", scale=alt.Scale(domain=[True, False], range=[[1, 0], [3, 3]]), legend=None)
    lines = base.mark_line(strokeWidth=1.2, opacity=0.5).encode(
        x=x, y=y, detail="label:N", stroke=channels["stroke"], strokeDash=dash)
    bars = base.mark_rule(strokeWidth=1.8).encode(
        x=x, y=alt.Y("low:Q", title=percent(section.metric), scale=up.scale()), y2="high:Q",
        stroke=channels["stroke"])
    marks = base.mark_point(size=95, strokeWidth=1.8, opacity=1).encode(
        x=x, y=y, **channels,
        tooltip=tooltip(("label", "bits", section.metric, "deviation over seeds", "seeds"), rows[0]))
    align, names = _names(section, rows, across, up)
    ends = {"left": across.low, "right": across.high}
    return alt.layer(*full_precision(section.full, x, y, ends[align], align), lines, bars, marks,
                     *texts(names, x, y), data=alt.Data(values=rows)).properties(width=WIDTH, height=HEIGHT)


def _rows(section: Drawn, points: Sequence[Point], bits: Sequence[str]) -> list[dict[str, Any]]:
    methods = shown_methods(section, points)
    labels = sorted({(methods.index(point.method), not point.own, point.label) for point in points})
    several = Counter((point.method, point.bits) for point in points)
    order = [label for _, _, label in labels]
    made = []
    for point in points:
        place = (order.index(point.label) + 0.5) / len(order) - 0.5
        sd = point.sd or 0.0
        made.append({
            "at": round(bits.index(point.bits) + SPREAD * place, 4), "value": point.value, "low": point.value - sd,
            "high": point.value + sd, "label": point.label, "method": point.method, "bits": point.bits,
            "own": point.own, "alone": several[point.method, point.bits] == 1,
            section.metric: round(point.value, 3), "deviation over seeds": None if point.sd is None else
            round(point.sd, 3), "seeds": len(point.records)})
    return made


def _names(section: Drawn, rows: Sequence[dict[str, Any]], across: Axis,
           up: Axis) -> tuple[Align, list[dict[str, Any]]]:
    """Where the name of the full-precision line goes, and the names of rows that share their look with others."""
    paper = Paper(WIDTH, HEIGHT)

    def pixels(row: dict[str, Any]) -> tuple[float, float]:
        return across.pixel(row["at"], WIDTH), HEIGHT - up.pixel(row["value"], HEIGHT)
    for row in rows:
        paper.mark(*pixels(row))
    full = section.full
    align: Align = "left" if full is None else paper.line(HEIGHT - up.pixel(full, HEIGHT), FULL_PRECISION.format(full))
    found, said = [], set()
    for row in rows:
        if not row["alone"] and row["label"] not in said and (place := paper.place(*pixels(row), row["label"])):
            said.add(row["label"])
            found.append({"at": row["at"], "value": row["value"], "text": row["label"], "place": place})
    return align, found
