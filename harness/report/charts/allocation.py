"""The bit-widths that a method chose, as a map of what is quantized (rows) in which block and head (columns)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from . import NamedChart
from .allocation_map import Cell, cells, columns, is_mixed
from .points import Point, sections
from .style import RULE, named, tooltip, unique

#: Light to dark for 1 to 8 bits, the same in every chart; more bits are grey.
SHADES = ("#FFFFD9", "#EDF8B1", "#C7E9B4", "#7FCDBB", "#41B6C4", "#1D91C0", "#225EA8", "#0C2C84")
MORE = "#555555"

ROW, LARGEST = 24, 900


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """One chart a row and bit-width where bits differ from block to block or from head to head; of the first seed."""
    made = []
    for section in sections(records, convention, ablations):
        for point in section.points:
            coverage = point.first.coverage
            found = cells(coverage["quantized"]) if isinstance(coverage, dict) else []
            if is_mixed(found):
                heads = any(cell.head is not None for cell in found)
                made.append(named("allocation", section, f"bit-widths of {point.label} at {point.bits}", _map(found),
                                  [point], part=f"{point.label}-{point.bits}", width=_width(found) + 260,
                                  notes=[_note(point, section.metric, heads)]))
    return unique(made)


def _note(point: Point, metric: str, heads: bool) -> str:
    first = point.first
    cost = "" if point.bops is None else f", {point.bops / 1e9:.3g} G bit-operations"
    said = "Within a block: its heads, where they differ. " if heads else ""
    return f"{said}Seed {first.asked.seed}: {first.value:.2f} % {metric}{cost}."


def _width(found: Sequence[Cell]) -> int:
    """Pixels of the map: enough for the number in the narrowest cell, where the picture does not become too wide."""
    count = len(columns(found))
    finest = max(round(1 / (cell.end - cell.start)) for cell in found)
    return count * min(max(22 * finest, 58), LARGEST // count)


def _map(found: Sequence[Cell]) -> Any:
    order = columns(found)
    rows = list(dict.fromkeys(cell.row for cell in found))
    width = _width(found)
    values: list[dict[str, Any]] = [{
        "row": cell.row, "start": round(order.index(cell.column) + cell.start, 6),
        "end": round(order.index(cell.column) + cell.end, 6),
        "middle": round(order.index(cell.column) + (cell.start + cell.end) / 2, 6), "bits": cell.bits,
        "shade": str(cell.bits) if cell.bits <= len(SHADES) else "more",
        "text": str(cell.bits) if width / len(order) * (cell.end - cell.start) >= 9 else "", "site": cell.site,
        "head": "all" if cell.head is None else str(cell.head)} for cell in found]
    shades = sorted({value["shade"] for value in values}, key=lambda shade: (shade == "more", shade))
    colours = [MORE if shade == "more" else SHADES[int(shade) - 1] for shade in shades]
    x = alt.X("start:Q", title="block", scale=alt.Scale(domain=[0, len(order)], nice=False), axis=alt.Axis(
        values=[number + 0.5 for number in range(len(order))], labelExpr=f"{json.dumps(order)}[floor(datum.value)]",
        grid=False, ticks=False, labelFontSize=12))
    y = alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(labelLimit=200))
    base = alt.Chart()
    tiles = base.mark_rect(stroke="white", strokeWidth=0.6).encode(
        x=x, x2="end:Q", y=y, tooltip=tooltip(("site", "head", "bits"), values[0]),
        fill=alt.Fill("shade:N", scale=alt.Scale(domain=shades, range=colours),
                      legend=alt.Legend(title="bits", symbolType="square", symbolSize=160)))
    numbers = base.mark_text(fontSize=11).encode(
        x=alt.X("middle:Q"), y=y, text="text:N",
        color=alt.condition(alt.datum.bits >= 7, alt.value("white"), alt.value("black")))
    lines = alt.Chart(alt.Data(values=[{"start": number} for number in range(1, len(order))])).mark_rule(
        stroke=RULE, strokeWidth=1).encode(x="start:Q")
    return alt.hconcat(
        alt.layer(tiles, numbers, lines, data=alt.Data(values=values)).properties(width=width, height=ROW * len(rows)),
        _means(found, rows), spacing=6)


def _means(found: Sequence[Cell], rows: Sequence[str]) -> Any:
    """The mean of each row, every site counting alike, as a column beside the map."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for cell in found:
        share = cell.end - cell.start
        sums[cell.row][0] += share * cell.bits
        sums[cell.row][1] += share
    values = [{"row": row, "text": f"{sums[row][0] / sums[row][1]:.2f}"} for row in rows]
    return alt.Chart(alt.Data(values=values), title=alt.Title("mean", fontSize=12, fontWeight="normal", offset=4,
                                                              anchor="middle")).mark_text(fontSize=12).encode(
        y=alt.Y("row:N", sort=list(rows), axis=None), text="text:N").properties(width=34, height=ROW * len(rows))
