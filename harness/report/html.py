"""A document as one HTML page that needs nothing else; its tables say to a screen reader what heads what."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .document import Document, Part
from .grid import Grid

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
caption { font-weight: bold; padding: .25rem 0; text-align: left; }
th, td { padding: .2rem .7rem; text-align: left; vertical-align: top; }
th.number, td.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: normal; }
thead, tbody { border-bottom: 1px solid; }
thead { border-top: 2px solid; }
.notice { border-left: .3rem solid #b45309; padding-left: .7rem; }
"""


def to_html(document: Document) -> str:
    """The whole document."""
    title = escape(document.title)
    lines = ["<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{title}</title>",
             f"<style>{_STYLE}</style>", "</head>", "<body>", "<main>", f"<h1>{title}</h1>"]
    lines += [f'<p class="notice">{escape(remark)}</p>' for remark in document.remarks]
    for part in document.parts:
        lines += _part(part)
    if not document.parts:
        lines.append(f"<p>{escape(document.empty)}</p>")
    if document.explanation:
        lines += ["<h2>How to read it</h2>", f"<p>{escape(document.explanation)}</p>"]
    return "\n".join([*lines, "</main>", "</body>", "</html>"]) + "\n"


def _part(part: Part) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(part.heading)}</h2>"
    for notice in part.notices:
        yield f'<p class="notice"><strong>{escape(notice)}</strong></p>'
    if part.lead:
        yield f"<p>{escape(part.lead)}</p>"
    yield from table(part.grid, part.grid.caption or part.heading)
    if part.notes:
        yield from ("<ul>", *(f"<li>{escape(note)}</li>" for note in part.notes), "</ul>")
    for grid in part.aside:
        yield from table(grid, grid.caption)
    yield "</section>"


def table(grid: Grid, caption: str) -> Iterator[str]:
    """The lines of one table: a caption, heads with their scope, one body a group."""
    kinds = [' class="number"' if column.kind == "number" else "" for column in grid.columns]
    names = [column.name for column in grid.columns]
    head = names.index("method") if "method" in names else 0  # the cell that names its row
    tags = ['th scope="row"' if number == head else "td" for number in range(len(names))]
    opened = [f"<{tag}{kind}>" for tag, kind in zip(tags, kinds, strict=True)]
    closed = [f"</{tag[:2]}>" for tag in tags]
    yield f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0">\n<table>'
    yield f"<caption>{escape(caption)}</caption>\n<thead>"
    heads = (f'<th scope="col"{kind}>{escape(column.title)}</th>'
             for column, kind in zip(grid.columns, kinds, strict=True))
    yield f"<tr>{''.join(heads)}</tr>\n</thead>"
    for group in grid.texts():
        yield "<tbody>"
        for line in group:
            cells = (f"{start}{escape(text)}{end}" for start, text, end in zip(opened, line, closed, strict=True))
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</tbody>"
    yield "</table>\n</div>"
