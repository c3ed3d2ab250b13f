"""The table of a suite as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict

from .render import Grid, markdown_grid, published_grid
from .suites import SuiteCell, SuiteSection, SuiteTable


def suite_grid(section: SuiteSection) -> Grid:
    """Column heads and rows of text: one line a method and bit-width, averages last."""
    head = ["W/A", "method", *section.columns, *section.averages]
    return head, [[row.bits, row.label, *(_cell(row.cells.get(column)) for column in section.columns),
                   *(f"{row.averages[name]:.2f}" if name in row.averages else "" for name in section.averages)]
                  for row in section.rows]


def _cell(cell: SuiteCell | None) -> str:
    if cell is None:
        return ""
    return f"{cell.value:.2f}" if cell.sd is None else f"{cell.value:.2f} ± {cell.sd:.2f} (n={cell.seeds})"


def to_markdown(table: SuiteTable) -> str:
    """The whole table as Markdown."""
    lines = [f"# {table.suite}", ""]
    for section in table.sections:
        lines += [f"## {section.heading}", "", *markdown_grid(suite_grid(section)), ""]
        if section.published:
            lines += ["### Published, not measured here", "", *markdown_grid(published_grid(section.published)), ""]
    lines += [f"- {remark}" for remark in table.remarks]
    return "\n".join(lines).rstrip("\n") + "\n"


CSV_COLUMNS = ("suite", "section", "method", "bits", "column", "value", "sd", "seeds")


def to_csv(table: SuiteTable) -> str:
    """One line a cell or average, numbers in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for section in table.sections:
        for row in section.rows:
            shared = {"suite": table.suite, "section": section.heading, "method": row.label, "bits": row.bits}
            for column, cell in row.cells.items():
                writer.writerow({**shared, "column": column, **asdict(cell)})
            for name, value in row.averages.items():
                writer.writerow({**shared, "column": name, "value": value})
    return stream.getvalue()


def to_json(table: SuiteTable) -> str:
    """Everything that the table holds."""
    return json.dumps(asdict(table), indent=1, ensure_ascii=False, default=lambda part: part.model_dump()) + "\n"


#: Format -> function from a table to its text.
SUITE_FORMATS: dict[str, Callable[[SuiteTable], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}
