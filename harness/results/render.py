"""Tables as Markdown, CSV and JSON, the same bytes for the same table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from .published import PublishedRow
from .tables import Cell, Row, Section, Table

Grid = tuple[list[str], list[list[str]]]


def grid(section: Section) -> Grid:
    """Column heads and rows of text of a section: full precision first, then one row a method."""
    head = ["method"]
    for bits in section.bits or ("32/32",):
        head += [f"{bits} {name}" for name in _columns(section)]
    body = []
    if section.reference is not None:
        flag = " [FLAGGED]" if section.gate and section.gate.gate == "flagged" else ""
        body.append([f"full precision{flag}", *_reference(section, section.reference) * max(1, len(section.bits))])
    body += [[row.label, *(text for bits in section.bits for text in _method(section, row, bits))]
             for row in section.rows]
    return head, body


def long_grid(section: Section) -> Grid:
    """The same as :func:`grid` with one line a method and bit-width, narrow enough for a terminal."""
    head = ["W/A", "method", *_columns(section)]
    body = [] if section.reference is None else [["32/32", "full precision", *_reference(section, section.reference)]]
    for bits in section.bits:
        rows = sorted((row for row in section.rows if bits in row.cells), key=lambda row: row.cells[bits].rank or 0)
        body += [[bits, row.label, *_method(section, row, bits)] for row in rows]
    return head, body


def published_grid(rows: Iterable[PublishedRow]) -> Grid:
    """Column heads and rows of text of published figures."""
    return (["method", "bits", "data", "metric", "published", "where", "note"],
            [[row.method, row.bits, row.dataset, row.metric, "?" if row.value is None else f"{row.value:g}",
              ", ".join(part for part in (row.source, row.table) if part), row.note] for row in rows])


def _columns(section: Section) -> list[str]:
    return [f"{section.metric} (drop)", *section.beside, "difference", "BOPs (G)", "size (MB)"]


def _reference(section: Section, cell: Cell) -> list[str]:
    return ["" if cell.value is None else f"{cell.value:.2f}", *_beside(section, cell), "", *_costs(cell)]


def _beside(section: Section, cell: Cell) -> list[str]:
    return [f"{cell.beside[name]:.2f}" if name in cell.beside else "" for name in section.beside]


def _method(section: Section, row: Row, bits: str) -> list[str]:
    cell = row.cells.get(bits)
    if cell is None or cell.value is None:
        empty = [""] * (len(_columns(section)) - 1)
        return ["" if cell is None else "failed", *empty]
    spread = "" if cell.sd is None else f" ± {cell.sd:.2f} (n={len(cell.seeds)})"
    drop = "" if cell.drop is None else f" ({_fixed(cell.drop)})"
    failed = f", {len(cell.failed)} failed" if cell.failed else ""
    rank = f"{cell.rank}{'=' if cell.tied else '.'} "
    return [f"{rank}{cell.value:.2f}{spread}{drop}{failed}", *_beside(section, cell), _difference(cell, row.label),
            *_costs(cell)]


def _difference(cell: Cell, label: str) -> str:
    if cell.compared_with == label:
        return "compared to this"
    if cell.difference is None:
        return "not paired"
    found = cell.difference
    return f"{_signed(found.value)} [{_signed(found.low)}, {_signed(found.high)}]"


def _signed(value: float) -> str:
    text = _fixed(value)
    return text if text[0] == "-" or float(text) == 0 else f"+{text}"


def _fixed(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if float(text) == 0 else text


def _costs(cell: Cell) -> list[str]:
    return ["" if cell.bops is None else f"{cell.bops / 1e9:.3f}",
            "" if cell.size is None else f"{cell.size / 1e6:.2f}"]


def to_markdown(table: Table) -> str:
    """The whole table as Markdown."""
    lines = [f"# {table.task}", ""]
    for remark in table.remarks:
        lines += [f"> {_escape(remark)}", ""]
    for section in table.sections:
        lines += _markdown_section(section)
    if not table.sections:
        lines += ["No records.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _markdown_section(section: Section) -> list[str]:
    scope = section.scope
    lines = [f"## {_escape(section.heading)}", ""]
    for notice in section.notices:
        lines += [f"> **{_escape(notice)}**", ""]
    lines += [f"Data `{scope.fingerprint}`, weights `{scope.weights_hash}`. BOPs: convention {section.convention}.", ""]
    lines += [*markdown_grid(grid(section)), "", _escape(section.explanation), ""]
    lines += [f"- {_escape(remark)}" for remark in section.remarks] + [""]
    if section.published:
        lines += ["### Published, not measured here", "",
                  "What papers print for this model, each with its own data, checkpoint and protocol.", "",
                  *markdown_grid(published_grid(section.published)), ""]
    return lines


def markdown_grid(content: Grid) -> list[str]:
    """The lines of a Markdown table."""
    head, body = content
    lines = [_line(head), _line(["---"] * len(head))]
    return lines + [_line(row) for row in body]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


CSV_COLUMNS = ("kind", "task", "scale", "model", "dataset", "fingerprint", "weights_hash",
               "evaluation_limit", "calibration_size", "method", "bits", "metric",
               "value", "sd", "seeds", "failed_seeds", "drop", "rank", "difference", "difference_low",
               "difference_high", "compared_with", "bops", "size_bytes", "gate", "source", "note")


def to_csv(table: Table) -> str:
    """One line a cell or published figure, numbers in full; empty where nothing is known."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for section in table.sections:
        scope = {**asdict(section.scope), "metric": section.metric, "gate": section.gate.gate if section.gate else ""}
        cells = [("full_precision", section.reference)] if section.reference else []
        cells += [(row.label, row.cells[bits]) for row in section.rows for bits in section.bits if bits in row.cells]
        for label, cell in cells:
            writer.writerow({**scope, "kind": "measured", "method": label, **_csv_cell(cell)})
            for name, value in cell.beside.items():
                writer.writerow({**scope, "kind": "measured", "method": label, "bits": cell.bits, "metric": name,
                                 "value": value, "seeds": " ".join(map(str, cell.seeds))})
        for figure in section.published:
            writer.writerow({"kind": "published", "task": figure.task, "model": figure.model, "dataset": figure.dataset,
                             "method": figure.method, "bits": figure.bits, "metric": figure.metric,
                             "value": figure.value, "source": f"{figure.source}, {figure.table}",
                             "note": figure.note})
    return stream.getvalue()


def _csv_cell(cell: Cell) -> dict[str, object]:
    found = cell.difference
    return {"bits": cell.bits, "value": cell.value, "sd": cell.sd, "seeds": " ".join(map(str, cell.seeds)),
            "failed_seeds": " ".join(map(str, cell.failed)), "drop": cell.drop, "rank": cell.rank,
            "difference": found and found.value, "difference_low": found and found.low,
            "difference_high": found and found.high, "compared_with": cell.compared_with,
            "bops": cell.bops, "size_bytes": cell.size}


def to_json(table: Table) -> str:
    """Everything that a table holds."""
    return json.dumps(asdict(table), indent=1, ensure_ascii=False, default=lambda part: part.model_dump()) + "\n"


#: Format -> function from a table to its text.
FORMATS: dict[str, Callable[[Table], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}
