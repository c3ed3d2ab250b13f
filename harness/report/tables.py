"""Tables in every format: the same bytes for the same table."""

from __future__ import annotations

from collections.abc import Callable

from ..results.tables.suites import SuiteTable
from ..results.tables.table import Table
from . import leaderboard, suite, tidy
from .csv import to_csv
from .document import Document
from .html import to_html
from .json import to_json
from .latex import to_latex
from .leaderboard import DEFAULT_VIEW, View
from .markdown import to_markdown

#: Format -> function from a document to its text.
DOCUMENTS: dict[str, Callable[[Document], str]] = {"md": to_markdown, "latex": to_latex, "html": to_html}

AnyTable = Table | SuiteTable


def document(table: AnyTable, view: View = DEFAULT_VIEW) -> Document:
    """The table of a task or suite as people read it."""
    return leaderboard.document(table, view) if isinstance(table, Table) else suite.document(table, view.published)


def render(table: AnyTable, form: str, view: View = DEFAULT_VIEW) -> str:
    """``table`` in a format of :data:`FORMATS`. CSV and JSON have everything that it holds, whatever the view."""
    if form == "json":
        return to_json(table)
    if form == "csv":
        return to_csv(tidy.tidy_grid(table) if isinstance(table, Table) else suite.tidy_grid(table))
    return DOCUMENTS[form](document(table, view))


def _format(form: str) -> Callable[[AnyTable], str]:
    return lambda table: render(table, form)


#: Format -> function from a table of a task or suite to its text.
FORMATS: dict[str, Callable[[AnyTable], str]] = {form: _format(form) for form in ("md", "csv", "json", *DOCUMENTS)}
