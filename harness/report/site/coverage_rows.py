"""What was quantized, site by site, as the lines of a table.

A model has up to hundreds of sites, and the runs of a method at one bit-width mostly share their coverage: the
lines are made here rather than in the template, and kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

from ...results.explain import COVERAGE_COLUMNS


def site_columns(sites: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of the table."""
    return (*COVERAGE_COLUMNS, *(["expansion"] if any("expansion" in site for site in sites) else []))


def site_rows(sites: Sequence[Mapping[str, Any]]) -> str:
    """The lines of the table, as HTML in which every text is escaped."""
    return _rows(json.dumps(sites))


@lru_cache(maxsize=64)
def _rows(text: str) -> str:
    sites = json.loads(text)
    columns = site_columns(sites)
    return "\n".join(_row([escape(_slots(site.get(column, ""))) for column in columns]) for site in sites)


def _row(texts: Sequence[str]) -> str:
    return f'<tr><th scope="row"><code>{texts[0]}</code></th><td>{"</td><td>".join(texts[1:])}</td></tr>'


def _slots(value: Any) -> str:
    """A site's bits or groups: one value, or the distinct ones of its slots."""
    if isinstance(value, list):
        distinct = sorted(set(map(str, value)))
        return distinct[0] if len(distinct) == 1 else f"{', '.join(distinct)} ({len(value)} slots)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
