"""Where latent weights lie between the thresholds of their quantizer, before and after training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from . import NamedChart
from .labels import SIZE
from .points import Point, sections
from .style import RULE, named, tooltip, unique

#: The note of a training stage: site -> ``low`` (the first edge, in steps of the quantizer), ``cells`` (a step), and
#: the numbers of weights ``before`` and ``after``. The first and the last cell have what lies beyond.
NOTE = "weight_bins"
PANEL = (640, 120)
LOOKS = (("before", "#6B6B6B", [4, 3]), ("after", "#D55E00", [1, 0]))


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a row and bit-width whose records have histograms, a panel a site; of the first seed."""
    made = []
    for section in sections(records, convention, ablations):
        for point in section.points:
            if sites := _sites(point):
                made.append(named(
                    "weights", section, f"weights of {point.label} at {point.bits}", _chart(sites), [point],
                    part=f"{point.label}-{point.bits}", width=PANEL[0] + 110, notes=[
                        f"Seed {point.first.asked.seed}: where weights lie among the quantizer's steps; the outermost "
                        "cells have all that lies beyond. Dotted: thresholds of rounding, where weights that oscillate "
                        "gather."]))
    return unique(made)


def _sites(point: Point) -> Mapping[str, Mapping[str, Any]]:
    stages = point.first.notes.get("training")
    said = [stage[NOTE] for stage in stages if stage.get(NOTE)] if isinstance(stages, list) else []
    return said[-1] if said else {}


def rows(histogram: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each cell with its ends in steps, and the share of all weights that lie in it, in percent."""
    made = []
    for when, _, _ in LOOKS:
        counts: Sequence[int] = histogram[when]
        for number, count in enumerate(counts):
            start = histogram["low"] + number / histogram["cells"]
            made.append({"when": when, "start": round(start, 4), "end": round(start + 1 / histogram["cells"], 4),
                         "share": 100 * count / max(sum(counts), 1), "weights": count})
    return made


def _chart(sites: Mapping[str, Mapping[str, Any]]) -> Any:
    names = [when for when, _, _ in LOOKS]
    stroke = alt.Stroke("when:N", scale=alt.Scale(domain=names, range=[colour for _, colour, _ in LOOKS]),
                        legend=alt.Legend(title="training", symbolSize=500, symbolType="stroke"))
    dash = alt.StrokeDash("when:N", scale=alt.Scale(domain=names, range=[dashes for _, _, dashes in LOOKS]))
    panels = []
    for number, (site, histogram) in enumerate(sites.items()):
        values = rows(histogram)
        # The steps of the line go on to the end of the last cell.
        ends = [{"when": row["when"], "start": row["end"], "share": row["share"]} for row in values
                if row["end"] == values[-1]["end"]]
        first, last = values[0]["start"], values[-1]["end"]
        steps = [number for number in range(round(first) + 1, round(last))]
        x = alt.X("start:Q", title="weight / scale" if number == len(sites) - 1 else None,
                  axis=alt.Axis(values=steps, format="d", grid=False),
                  scale=alt.Scale(domain=[first, last], nice=False))
        lines = alt.Chart(alt.Data(values=[*values, *ends])).mark_line(
            interpolate="step-after", strokeWidth=1.5).encode(
            x=x, y=alt.Y("share:Q", title="weights (%)", axis=alt.Axis(tickCount=4)), stroke=stroke, strokeDash=dash,
            tooltip=tooltip(("when", "start", "end", "weights"), values[0]))
        thresholds = alt.Chart(alt.Data(values=[{"start": step + 0.5} for step in steps[:-1]])).mark_rule(
            stroke=RULE, strokeDash=[1, 3]).encode(x=x)
        name = alt.Chart(alt.Data(values=[{"site": site}])).mark_text(align="left", fontSize=SIZE + 1,
                                                                      fontWeight="bold").encode(
            x=alt.value(4), y=alt.value(-9), text="site:N")
        panels.append(alt.layer(thresholds, lines, name).properties(width=PANEL[0], height=PANEL[1]))
    return alt.vconcat(*panels, spacing=24)
