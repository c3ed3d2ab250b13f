"""Which weights oscillate at the end of training: their share, by role and by row of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from . import NamedChart
from .labels import SIZE
from .points import Point, sections, whole
from .style import named, tooltip, unique

#: The note of a training stage that the chart is made of: role -> percent of its weights.
NOTE = "oscillation_percent"
ALL = "modules"


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a section and bit-width; means over the seeds of each row."""
    made = []
    for section in sections(records, convention, ablations):
        for bits in section.bits:
            shares = [(point, share) for point in section.points if point.bits == bits and (share := _share(point))]
            if shares:
                made.append(named("oscillation", section, f"oscillating weights at {bits}", _map(shares),
                                  [point for point, _ in shares], part=bits,
                                  notes=["Percent of the weights that often change to and fro between two integers at "
                                         f"the end of training, means over seeds. {ALL}: attention and feed-forward "
                                         "together."]))
    return unique(made)


def _share(point: Point) -> dict[str, float]:
    """Role -> percent after the last stage that says so; the mean over seeds."""
    found: list[Mapping[str, float]] = []
    for record in point.records:
        stages = whole(record).notes.get("training")
        said = [stage[NOTE] for stage in stages if NOTE in stage] if isinstance(stages, list) else []
        found += said[-1:]
    of_role: dict[str, list[float]] = {}
    for share in found:
        for role, percent in share.items():
            of_role.setdefault(role, []).append(percent)
    return {role: sum(values) / len(values) for role, values in of_role.items()}


def _map(shares: Sequence[tuple[Point, Mapping[str, float]]]) -> Any:
    roles = list(dict.fromkeys(role for _, share in shares for role in share))
    roles = [ALL] * (ALL in roles) + [role for role in roles if role != ALL]
    ordered = sorted(shares, key=lambda item: (item[1].get(ALL, float("inf")), item[0].label))
    values = [{"label": point.label, "role": role, "percent": share[role], "text": f"{share[role]:.3g}",
               "top1": round(point.value, 3), "seeds": len(point.records)}
              for point, share in ordered for role in roles if role in share]
    base = alt.Chart().encode(
        x=alt.X("role:N", sort=roles, title=None, axis=alt.Axis(labelAngle=0, orient="top", ticks=False)),
        y=alt.Y("label:N", sort=[point.label for point, _ in ordered], title=None, axis=alt.Axis(
            labelLimit=340, ticks=False)))
    tiles = base.mark_rect(stroke="white").encode(
        fill=alt.Fill("percent:Q", scale=alt.Scale(type="symlog", constant=1, scheme="oranges", domain=[0, 100]),
                      legend=alt.Legend(title="percent of weights", values=[0, 1, 3, 10, 30, 100],
                                        gradientLength=max(26 * len(ordered) - 20, 60))),
        tooltip=tooltip(("label", "role", "text", "seeds"), values[0]))
    numbers = base.mark_text(fontSize=SIZE).encode(text="text:N", color=alt.condition(
        alt.datum.percent > 30, alt.value("white"), alt.value("black")))
    return alt.layer(tiles, numbers, data=alt.Data(values=values)).properties(
        width=74 * len(roles), height=26 * len(ordered))
