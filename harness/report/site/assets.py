"""What pages need besides their text: style, scripts, and two kept libraries out of installed packages.

Pages must open from disk, where a browser loads neither modules nor data by ``fetch``. So all scripts are classic
ones, and the table library (DataTables, as the package ``itables`` brings it) is turned from a module into one.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from ...errors import PluginError
from .extra import needed

#: Files of this package that are copied as they are.
OWN = ("site.css", "theme.js", "board.js", "charts.js", "claims.js", "licences.txt")

_EXPORTS = re.compile(r"\bexport\s*\{([^{}]*)\}\s*;?\s*$")


def write_assets(folder: Path, *, charts: bool) -> None:
    """Write styles and scripts into ``folder``; the library that draws charts only where there are some."""
    folder.mkdir()
    for name in OWN:
        (folder / name).write_bytes(files(__package__).joinpath("static", name).read_bytes())
    tables = files(needed("itables")).joinpath("html")
    script = classic(tables.joinpath("dt_bundle.js").read_text(encoding="utf-8"), {"default": "DataTable"})
    (folder / "datatables.js").write_text(script, encoding="utf-8")
    (folder / "datatables.css").write_bytes(tables.joinpath("dt_bundle.css").read_bytes())
    if charts:
        (folder / "vega.js").write_text(needed("vl_convert").javascript_bundle(), encoding="utf-8")


def classic(module: str, names: dict[str, str]) -> str:
    """The text of an ES ``module`` without imports as a classic script; ``names``: exported name -> global variable.

    Raises :class:`harness.PluginError` where the module does not end with one list of exports that has the names.
    """
    body, comments = _without_last_comments(module)
    found = _EXPORTS.search(body)
    pairs = [part.split(" as ") for part in found[1].split(",")] if found else []
    exported = {pair[-1].strip(): pair[0].strip() for pair in pairs}
    if found is None or not names.keys() <= exported.keys():
        raise PluginError("the table library that itables brings has another form than expected",
                          "Install the version that was tested: pip install -c constraints.txt itables")
    globals_ = "".join(f"window.{name}={exported[export]};" for export, name in names.items())
    return f'(()=>{{"use strict";{body[:found.start()]}\n{globals_}\n}})();\n{comments}'


def _without_last_comments(text: str) -> tuple[str, str]:
    """The text up to the comments that end it (the notices of licences), and those."""
    body, rest = text.rstrip(), ""
    while body.endswith("*/"):
        start = body.rindex("/*")
        body, rest = body[:start].rstrip(), f"{body[start:]}\n{rest}"
    return body, rest
