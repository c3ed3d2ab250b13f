"""The loss during training, a panel a method: losses of different methods are different functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from ...results.tables.selection import bits_order
from . import NamedChart
from .families import COLOURS
from .points import Point, sections, whole
from .scales import linear, logarithmic
from .style import RULE, named, tooltip, unique

COLUMNS, PANEL = 3, (225, 150)
DASHES = ([1, 0], [7, 3], [2, 2], [8, 3, 2, 3], [12, 4])


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section, of the rows that stand for their method and budget; means over the seeds."""
    made = []
    for section in sections(records, convention, ablations):
        curves = {id(point): _curve(point) for point in section.points if point.own and point.budget}
        points = [point for point in section.points if curves.get(id(point))]
        if points:
            rows = [{"label": point.label, "bits": point.bits, **row} for point in points
                    for row in curves[id(point)]]
            seeds = sorted({len(point.records) for point in points})
            made.append(named(
                "training", section, "loss in training", _chart(points, rows), points, width=880,
                notes=["Each panel has its own scales: methods train on different losses. Means of "
                       f"{' or '.join(map(str, seeds))} seed{'s' if seeds != [1] else ''}. Dotted verticals, where "
                       "there are some: the next stage."]))
    return unique(made)


def _curve(point: Point) -> list[dict[str, Any]]:
    """The mean curve of the seeds, stage after stage; empty where the records have none, or seeds differ in length."""
    stages = [_stages(whole(record).notes) for record in point.records]
    shapes = {tuple((stage["stage"], stage["steps"], len(stage["loss"])) for stage in of_seed) for of_seed in stages}
    if len(shapes) != 1:
        return []
    rows, start = [], 0
    for together in zip(*stages, strict=True):
        steps, losses = together[0]["steps"], [stage["loss"] for stage in together]
        for number, values in enumerate(zip(*losses, strict=True)):
            rows.append({"step": start + round((number + 1) * steps / len(losses[0])), "stage": together[0]["stage"],
                         "loss": sum(values) / len(values)})
        start += steps
    return rows


def _stages(notes: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    said = notes.get("training")
    stages = said if isinstance(said, list) else []
    return [stage for stage in stages if isinstance(stage, dict) and stage.get("loss") and stage.get("steps")]


def _chart(points: Sequence[Point], rows: Sequence[Mapping[str, Any]]) -> Any:
    bits = sorted({point.bits for point in points}, key=bits_order)
    colour = alt.Stroke("bits:N", sort=bits, scale=alt.Scale(domain=bits, range=_cycled(COLOURS, len(bits))),
                        legend=alt.Legend(title="bits", symbolSize=500))
    dash = alt.StrokeDash("bits:N", sort=bits, scale=alt.Scale(domain=bits, range=_cycled(DASHES, len(bits))))
    panels = []
    for label in dict.fromkeys(point.label for point in points):
        shown = [{name: row[name] for name in ("bits", "stage", "step", "loss")} for row in rows
                 if row["label"] == label]
        ends = sorted({(row["bits"], row["stage"]): row["step"] for row in shown}.values())[:-1]
        stages = len({row["stage"] for row in shown})
        losses = [row["loss"] for row in shown]
        up = logarithmic(losses) if min(losses) > 0 else linear(losses)
        lines = alt.Chart(alt.Data(values=shown)).mark_line(strokeWidth=1.6).encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=4, grid=False)),
            y=alt.Y("loss:Q", title="loss", scale=up.scale(), axis=alt.Axis(values=list(up.ticks), format="~g")
                    if up.log else alt.Axis(tickCount=4)),
            stroke=colour, strokeDash=dash, tooltip=tooltip(("bits", "stage", "step", "loss"), shown[0]))
        # A mark, because titles of panels move with the labels of their axes.
        name = alt.Chart(alt.Data(values=[{"label": label}])).mark_text(fontSize=13, fontWeight="bold").encode(
            x=alt.value(PANEL[0] / 2), y=alt.value(-9), text="label:N")
        layers = [lines, name]
        if stages > 1:
            last = max(row["step"] for row in shown)
            layers.insert(0, alt.Chart(alt.Data(values=[{"step": end} for end in sorted(set(ends)) if end != last]))
                          .mark_rule(stroke=RULE, strokeDash=[1, 3]).encode(x="step:Q"))
        panels.append(alt.layer(*layers).properties(width=PANEL[0], height=PANEL[1]))
    return alt.concat(*panels, columns=COLUMNS, spacing=22).resolve_scale(y="independent", x="independent")


def _cycled(values: Sequence[Any], count: int) -> list[Any]:
    return [values[number % len(values)] for number in range(count)]
