"""How charts look: one theme, titles, and what several kinds share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from ...results.identity import digest
from . import NamedChart
from .labels import LETTER, SIZE, Align, Place
from .points import Drawn, Point

#: vl-convert brings this font, so that a picture does not depend on those of the machine; browsers take the next.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

GREY, RULE = "#6B6B6B", "#444444"
WIDTH, HEIGHT = 640, 400

#: Mean width of a letter of the title, pixels; letters of the longest name of a chart.
TITLE_LETTER = 9.0
LONGEST = 160
FULL_PRECISION = "full precision {:.2f}"


def named(kind: str, section: Drawn, what: str, chart: Any, points: Iterable[Point], *, part: str = "",
          notes: Sequence[str] = (), width: int = WIDTH + 160) -> NamedChart:
    """``chart`` with its title, its theme and a name.

    ``part``: which of the section's charts; ``notes``: subtitles; ``width``: about that of the picture, in pixels.
    """
    scope = section.scope
    title = f"{scope.task}, {scope.model}: {what}"
    said = [_first_sentence(notice) for notice in section.notices]
    if not any(text.lower().startswith(scope.scale) for text in said):
        said.insert(0, f"{scope.scale.upper()} scale.")
    said += [] if scope.calibration_size is None else [f"{scope.calibration_size} calibration samples."]
    said += [] if scope.evaluation_limit is None else [f"First {scope.evaluation_limit} evaluation samples only."]
    lines = [line for text in (" ".join(said), *notes) for line in textwrap.wrap(text, round(width / LETTER))]
    name = _short("-".join(_slug(word) for word in (kind, scope.task, scope.scale, scope.model, part) if word))
    heading = textwrap.wrap(title, round(width / TITLE_LETTER))
    finished = chart.properties(
        title=alt.Title(heading[0] if len(heading) == 1 else heading, subtitle=lines),
        description=" ".join([f"{title}.", *lines])).configure(**_THEME)
    identities = tuple(dict.fromkeys(identity for point in points for identity in point.identities))
    return NamedChart(name, kind, title, scope, identities, finished)


def unique(charts: Sequence[NamedChart]) -> list[NamedChart]:
    """The charts with the hash of their scope in the name where two would have the same."""
    names = [chart.name for chart in charts]
    return [chart if names.count(chart.name) == 1 else _renamed(chart) for chart in charts]


def full_precision(full: float | None, x: alt.X, y: alt.Y, at: float, align: Align) -> list[Any]:
    """The full-precision figure as a dashed line across the plot, with its name above, at ``at`` on the x axis."""
    if full is None:
        return []
    field = x["shorthand"].split(":")[0]
    data = alt.Data(values=[{"value": full, field: at, "text": FULL_PRECISION.format(full)}])
    return [alt.Chart(data).mark_rule(stroke=RULE, strokeDash=[6, 4], strokeWidth=1.3).encode(y=y),
            alt.Chart(data).mark_text(align=align, baseline="bottom", dx=4 if align == "left" else -4, dy=-3,
                                      fontSize=SIZE, fill=RULE).encode(x=x, y=y, text="text:N")]


def texts(names: Sequence[Mapping[str, Any]], x: alt.X, y: alt.Y) -> list[Any]:
    """Layers of texts (``text``, at a ``place`` beside the point) over white rims, so that they are read over lines."""
    groups: dict[Place, list[dict[str, Any]]] = {}
    for name in names:
        groups.setdefault(name["place"], []).append({key: name[key] for key in name if key != "place"})
    rims: tuple[dict[str, Any], ...] = ({"stroke": "white", "strokeWidth": 3.5, "opacity": 0.85}, {})
    return [alt.Chart(alt.Data(values=values)).mark_text(
        fontSize=SIZE, baseline="middle", align=place.align, dx=place.dx, dy=place.dy, **rim).encode(
            x=x, y=y, text="text:N")
        for place, values in groups.items() for rim in rims]


def percent(metric: str) -> str:
    """The title of an axis of a main metric: all are in percent, larger is better."""
    return f"{metric} (%)"


def tooltip(names: Sequence[str], row: Mapping[str, Any]) -> list[alt.Tooltip]:
    """What is shown of a mark under the pointer; the type of each value is that in ``row``."""
    return [alt.Tooltip(field=_escaped(name), title=name, type="nominal" if isinstance(row[name], str)
                        else "quantitative") for name in names]


def zoom() -> alt.Parameter:
    """Zooming and moving with the pointer; named, because Altair's own names count up within a process."""
    return alt.selection_interval(name="zoom", bind="scales")


def _escaped(name: str) -> str:
    """A name of a field as Vega-Lite reads it: dots and brackets would look into the value."""
    return "".join(f"\\{letter}" if letter in ".[]" else letter for letter in name)


def _renamed(chart: NamedChart) -> NamedChart:
    return replace(chart, name=f"{chart.name}-{digest(repr(chart.scope))[:6]}")


def _short(name: str) -> str:
    """A name that file systems take, also with the hash and the ending that may follow."""
    return name if len(name) <= LONGEST else f"{name[:LONGEST - 7]}-{digest(name)[:6]}"


def _first_sentence(notice: str) -> str:
    """A notice without the advice that follows it, which is for who runs."""
    return notice.split(". ")[0].rstrip(".") + "."


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")


_THEME: dict[str, Any] = {
    "font": FONT, "background": "white", "padding": 12, "view": {"stroke": None},
    "title": {"anchor": "start", "frame": "group", "fontSize": 17, "subtitleFontSize": 12.5, "subtitleColor": GREY,
              "offset": 14, "subtitlePadding": 5, "subtitleLineHeight": 16},
    "axis": {"labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": "normal", "titlePadding": 9,
             "gridColor": "#E6E6E6", "domainColor": "#888888", "tickColor": "#888888"},
    "legend": {"labelFontSize": 12, "titleFontSize": 12.5, "titleFontWeight": "normal", "labelLimit": 320,
               "titleLimit": 320, "rowPadding": 3},
    "header": {"labelFontSize": 13, "titleFontSize": 13, "labelFontWeight": "bold"}}
