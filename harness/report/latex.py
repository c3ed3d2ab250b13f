"""A document as LaTeX: one table a part with the rules of booktabs, over several pages where it is long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .document import Document, Part
from .grid import Grid

_HEAD = r"""% {title}
% Made from records; do not edit. Needed in the preamble: \usepackage{{booktabs,longtable}}"""

#: Lines that fit on a page; a longer table would run out of it as a float.
_PAGE = 40


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
    about = (rf"\caption{{{escape(caption)}}}", rf"\label{{{label}}}")
    small = [rf"\par\smallskip{{\footnotesize {escape(note)}}}" for note in notes]
    if sum(map(len, grid.texts())) > _PAGE:
        yield from tabular(grid, "longtable", above=(*about, r"\\"), below=(r"\endhead",))
        yield from small
    else:
        yield from (r"\begin{table}", r"\centering", *about, *tabular(grid), *small, r"\end{table}")


def tabular(grid: Grid, environment: str = "tabular", *, above: Iterable[str] = (),
            below: Iterable[str] = ()) -> Iterator[str]:
    """The lines of one table, ``above`` and ``below`` its heads; groups are set apart by a thin rule."""
    yield rf"\begin{{{environment}}}{{{''.join('r' if column.kind == 'number' else 'l' for column in grid.columns)}}}"
    yield from (*above, r"\toprule", _line(column.title for column in grid.columns))
    for number, group in enumerate(grid.texts()):
        yield r"\midrule"
        yield from below if number == 0 else ()
        yield from map(_line, group)
    yield r"\bottomrule"
    yield rf"\end{{{environment}}}"


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
