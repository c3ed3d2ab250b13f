"""Charts as files: the same bytes for the same records and versions.

That of SVG and JSON holds on every machine. Letters of a PNG are painted with the installed Liberation Sans where there
is one, so that PNG files are equal on machines with the same fonts.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from importlib import import_module
from typing import Any

from ...errors import PluginError
from . import NamedChart


class Format(StrEnum):
    """What a chart can be written as, and the ending of its file: two pictures, and the Vega-Lite specification."""

    svg = "svg"
    png = "png"
    json = "json"


#: Pixels of a PNG for one of the chart: sharp on dense screens and in print.
DENSITY = 2


def rendered(chart: NamedChart, form: Format) -> bytes:
    """The content of the chart's file; raises :class:`harness.PluginError` where vl-convert is not installed."""
    text = json.dumps(chart.to_dict(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if form is Format.json:
        return text.encode()
    try:
        convert: Any = import_module("vl_convert")
    except ImportError as error:
        raise PluginError(f"pictures of charts need vl-convert, which cannot be imported: {error}",
                          "Install it: pip install 'quantization-harness[report]'") from error
    if form is Format.png:
        png: bytes = convert.vegalite_to_png(text, scale=DENSITY)
        return png
    return f"{_numbered_anew(convert.vegalite_to_svg(text))}\n".encode()


def _numbered_anew(svg: str) -> str:
    """The picture with its clips and gradients numbered from 0: vl-convert counts on from picture to picture."""
    names: dict[str, str] = {}
    return re.sub(r"\b(clip|gradient_)\d+\b",
                  lambda found: names.setdefault(found[0], f"{found[1]}{len(names)}"), svg)
