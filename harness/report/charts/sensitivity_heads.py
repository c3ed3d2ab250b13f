"""What is lost when a single head has fewer bits than all else, by block and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from ...results.tables.probes import HEAD
from .labels import SIZE
from .points import Drawn, Point
from .style import tooltip


def bits_note(points: Sequence[Point]) -> str:
    """Which bits the head has, and which the rest."""
    widths = sorted({str(_probe(point).get("bits", "fewer")) for point in points})
    return f"One head at {', '.join(widths)} bits, all else at {points[0].bits}."


def heads_chart(section: Drawn, points: Sequence[Point]) -> Any:
    """Full precision minus the figure of each head; without a full-precision figure, that itself."""
    full = section.full
    title = section.metric if full is None else f"loss of {section.metric} to full precision"
    values = [{"block": _probe(point).get("block", 0), "head": _probe(point).get("head", 0),
               "loss": (loss := point.value if full is None else full - point.value), "text": f"{loss:.2f}",
               "label": point.label, "seeds": len(point.records)} for point in points]
    blocks, heads = (len({value[name] for value in values}) for name in ("block", "head"))
    losses = [value["loss"] for value in values]
    dark = min(losses) + 0.75 * (max(losses) - min(losses))
    base = alt.Chart().encode(
        x=alt.X("block:O", title="block", axis=alt.Axis(labelAngle=0)), y=alt.Y("head:O", title="head"))
    tiles = base.mark_rect(stroke="white").encode(
        fill=alt.Fill("loss:Q", scale=alt.Scale(scheme="oranges"), legend=alt.Legend(title=title)),
        tooltip=tooltip(("label", "block", "head", "text", "seeds"), values[0]))
    numbers = base.mark_text(fontSize=SIZE).encode(text="text:N", color=alt.condition(
        alt.datum.loss > dark, alt.value("white"), alt.value("black")))
    return alt.layer(tiles, numbers, data=alt.Data(values=values)).properties(
        width=max(46 * blocks, 120), height=30 * heads)


def _probe(point: Point) -> Mapping[str, Any]:
    """The probed head, with the defaults that the options leave out."""
    made: Mapping[str, Any] = point.records[0].asked.configuration.get(HEAD) or point.records[0].options[HEAD]
    return made
