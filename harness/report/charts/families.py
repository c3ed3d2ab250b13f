"""Each method has a colour, a shape and a filling that no other has: they are told apart without colour too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from .points import Drawn, Point

#: Okabe and Ito's colours, which the common kinds of colour blindness keep apart; yellow, too pale for lines, darker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C7300")

#: One more than the colours, so that their pairs come round late. The last two are a star and a hexagon.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
          "M0,-1L.25,-.35L.95,-.31L.4,.13L.59,.81L0,.42L-.59,.81L-.4,.13L-.95,-.31L-.25,-.35Z",
          "M0,-.9L.78,-.45L.78,.45L0,.9L-.78,.45L-.78,-.45Z")


def shown_methods(section: Drawn, points: Iterable[Point]) -> list[str]:
    """The methods of ``points`` in the order of legends: those that do not train, then those that do, each by name."""
    present = {point.method for point in points}
    return list(dict.fromkeys(method for method, _ in section.methods if method in present))


def method_channels(section: Drawn, points: Sequence[Point]) -> dict[str, Any]:
    """Stroke, fill and shape by the field ``method``: hollow marks do not train, filled ones do."""
    trained = dict(section.methods)
    number = {method: n for kind in (False, True)
              for n, method in enumerate(method for method in trained if trained[method] is kind)}
    order = shown_methods(section, points)
    colours = [COLOURS[number[method] % len(COLOURS)] for method in order]
    fills = [colour if trained[method] else "#FFFFFF" for method, colour in zip(order, colours, strict=True)]
    shapes = [SHAPES[number[method] % len(SHAPES)] for method in order]
    title = "method (filled: trained)" if len({trained[method] for method in order}) > 1 else "method"
    legend = alt.Legend(title=title, symbolSize=110, symbolStrokeWidth=1.8, symbolOpacity=1)

    def scale(values: Sequence[str]) -> alt.Scale:
        return alt.Scale(domain=order, range=list(values))
    return {"stroke": alt.Stroke("method:N", scale=scale(colours), legend=legend),
            "fill": alt.Fill("method:N", scale=scale(fills), legend=legend),
            "shape": alt.Shape("method:N", scale=scale(shapes), legend=legend)}
