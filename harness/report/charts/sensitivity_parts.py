"""Accuracy with one part of the model left out of quantization, or quantized alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from ...results.tables.probes import probe
from .labels import SIZE
from .points import Drawn, Point
from .scales import linear
from .style import FULL_PRECISION, RULE, WIDTH, percent, tooltip

#: What the marks are called, in the legend and before the name of a part, and what they look like.
GROUPS = {"": ("all quantized", "#000000", "diamond"),
          "leave_out": ("all but one part quantized", "#0072B2", "circle"),
          "only": ("one part quantized", "#D55E00", "square")}


def parts_chart(section: Drawn, points: Sequence[Point]) -> Any:
    """A line from the figure with all parts quantized (the point that is no probe) to each."""
    whole = next((point for point in points if not probe(point.records[0])), None)
    rows = sorted((_row(point, whole, section.metric) for point in points),
                  key=lambda row: (list(GROUPS).index(row["option"]), -row["value"], row["part"]))
    order = [row["part"] for row in rows]
    full = section.full
    across = linear([value for row in rows for value in (row["low"], row["high"])] + ([] if full is None else [full]))
    x = alt.X("value:Q", title=percent(section.metric), scale=across.scale())
    y = alt.Y("part:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    present = [option for option in GROUPS if any(row["option"] == option for row in rows)]
    legend = alt.Legend(title=None, symbolSize=100, symbolOpacity=1, orient="bottom", offset=16)

    def look(number: int) -> dict[str, Any]:
        return {"legend": legend, "scale": alt.Scale(domain=[GROUPS[option][0] for option in present],
                                                     range=[GROUPS[option][number] for option in present])}
    stroke = alt.Stroke("group:N", **look(1))
    base = alt.Chart()
    stems = base.mark_rule(strokeWidth=1.2, opacity=0.6).encode(
        x=x, x2="from:Q", y=y, stroke=stroke)
    bars = base.mark_rule(strokeWidth=3, opacity=0.5).encode(
        x=alt.X("low:Q", title=percent(section.metric), scale=across.scale()), x2="high:Q", y=y,
        stroke=stroke)
    marks = base.mark_point(size=90, strokeWidth=1.8, fill="white", opacity=1).encode(
        x=x, y=y, stroke=stroke, shape=alt.Shape("group:N", **look(2)),
        tooltip=tooltip(("label", section.metric, "deviation over seeds", "seeds"), rows[0]))
    # Figures stand in a column of their own, where no mark can lie under them.
    figures = base.mark_text(align="left", dx=8, fontSize=SIZE).encode(x=alt.value(WIDTH), y=y, text="text:N")
    layers = [stems, bars, marks, figures]
    if full is not None:
        data = alt.Data(values=[{"value": full, "text": FULL_PRECISION.format(full)}])
        layers = [alt.Chart(data).mark_rule(stroke=RULE, strokeDash=[6, 4]).encode(x=x),
                  alt.Chart(data).mark_text(align="right", baseline="bottom", dy=-4, fontSize=SIZE, fill=RULE).encode(
                      x=x, y=alt.value(0), text="text:N"), *layers]
    return alt.layer(*layers, data=alt.Data(values=rows)).properties(width=WIDTH, height=26 * len(rows))


def _row(point: Point, whole: Point | None, metric: str) -> dict[str, Any]:
    option = probe(point.records[0])
    parts = "+".join(map(str, point.records[0].options.get(option) or ()))
    name = {"": "all", "leave_out": f"all but {parts}", "only": f"only {parts}"}[option]
    start = whole.value if whole else point.value
    change = f"  ({point.value - start:+.2f})" if whole and point is not whole else ""
    sd = point.sd or 0.0
    return {"part": name, "option": option, "group": GROUPS[option][0], "value": point.value, "from": start,
            "low": point.value - sd, "high": point.value + sd, "label": point.label,
            "text": f"{point.value:.2f}{change}", metric: round(point.value, 3),
            "deviation over seeds": None if point.sd is None else round(point.sd, 3), "seeds": len(point.records)}
