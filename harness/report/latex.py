"""A document as LaTeX: one floating table a part, with the rules of booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .document import Document, Part
from .grid import Grid

_HEAD = r"""% {title}
% Made from records; do not edit. Needed in the preamble: \usepackage{{booktabs}}"""


def to_latex(document: Document) -> str:
    """The whole document, to be read in with ``\\input``."""
    lines = [_HEAD.format(title=_comment(document.title))]
    lines += [f"% {_comment(remark)}" for remark in document.remarks]
    for number, part in enumerate(document.parts, 1):
        lines += ["", *_part(part, f"tab:{_label(document.title)}-{number}")]
    if not document.parts:
        lines += ["", f"% {_comment(document.empty)}"]
    if document.explanation:
        lines += ["", f"% {_comment(document.explanation)}"]
    return "\n".join(lines) + "\n"


def _part(part: Part, label: str) -> Iterator[str]:
    caption = " ".join(text for text in (part.heading.rstrip(".") + ".", *part.notices, part.lead) if text)
    yield from _table(part.grid, caption, label, part.notes)
    for number, grid in enumerate(part.aside, 1):
        yield ""
        yield from _table(grid, f"{part.heading.rstrip('.')}. {grid.caption}", f"{label}-{number}", ())


def _table(grid: Grid, caption: str, label: str, notes: Iterable[str]) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{escape(caption)}}}"
    yield rf"\label{{{label}}}"
    yield from tabular(grid)
    for note in notes:
        yield rf"\par\smallskip{{\footnotesize {escape(note)}}}"
    yield r"\end{table}"


def tabular(grid: Grid) -> Iterator[str]:
    """The lines of one tabular; groups are set apart by a thin rule."""
    yield rf"\begin{{tabular}}{{{''.join('r' if column.kind == 'number' else 'l' for column in grid.columns)}}}"
    yield r"\toprule"
    yield _line(column.title for column in grid.columns)
    for group in grid.texts():
        yield r"\midrule"
        yield from map(_line, group)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _line(cells: Iterable[str]) -> str:
    # An empty group keeps a bracket at the start of a line from being read as the argument of \\ before it.
    texts = [escape(cell) for cell in cells]
    texts[0] = f"{{}}{texts[0]}" if texts[0].startswith(("[", "*")) else texts[0]
    return rf"{' & '.join(texts)} \\"


_SYMBOLS = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
            "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
            ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "--": "-{}-", "\N{PLUS-MINUS SIGN}": r"$\pm$",
            "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
            "\N{GREEK SMALL LETTER SIGMA}": r"$\sigma$", "\N{GREEK SMALL LETTER MU}": r"$\mu$"}
_SPECIAL = re.compile("|".join(map(re.escape, sorted(_SYMBOLS, key=len, reverse=True))))
_NUMBER = re.compile(r"(?<![\w.])-(?=\d)")


def escape(text: str) -> str:
    """``text`` on one line, every special character as itself, and the minus of a number as a minus."""
    plain = _SPECIAL.sub(lambda found: _SYMBOLS[found.group()], " ".join(text.split()))
    return _NUMBER.sub("$-$", plain)


def _comment(text: str) -> str:
    return " ".join(text.split())


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
