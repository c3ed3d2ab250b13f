"""LaTeX that would compile: balanced, escaped, as many cells as columns, the rules of booktabs and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_tables import made_table

from harness.report.document import Document, Part
from harness.report.grid import Column, Grid
from harness.report.latex import escape, to_latex
from harness.report.tables import render

#: What may follow a backslash in our output.
COMMANDS = {"begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "par", "smallskip",
            "footnotesize", "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar",
            "pm", "times", "leq", "geq", "sigma", "mu", "alpha", "lambda", "rightarrow", "dots"}


def check(text: str) -> list[list[int]]:
    """A small reader of what we write: raises for what LaTeX would not take; cells of each row by table."""
    open_: list[str] = []
    rows: list[list[int]] = []
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    body = "\n".join(lines)
    for found in re.finditer(r"\\(begin|end)\{(\w+)\}", body):
        if found[1] == "begin":
            open_.append(found[2])
        else:
            assert open_.pop() == found[2]
    assert not open_
    plain = re.sub(r"\\[{}$&%#_\\]", "", body)  # escaped characters and ends of rows
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not re.search(r"[#^~\"<>|%]", re.sub(r"\\label\{[^}]*\}", "", plain)), "a special character as it is"
    assert set(re.findall(r"\\([A-Za-z]+)", plain)) <= COMMANDS
    assert "_" not in plain
    for table in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", body, re.S):
        columns = re.match(r"\{([lr]+)\}", table)
        assert columns
        cells = [len(re.findall(r"(?<!\\)&", line)) + 1 for line in table.splitlines() if line.endswith(r"\\")]
        assert set(cells) == {len(columns[1])}
        rules = re.findall(r"\\(\w+rule)", table)
        assert (rules[0], rules[-1]) == ("toprule", "bottomrule")
        assert set(rules[1:-1]) == {"midrule"}
        rows.append(cells)
    return rows


def test_a_table() -> None:
    text = render(made_table(), "latex")
    assert [len(cells) for cells in check(text)] == [6, 3]
    assert r"\begin{tabular}{llrrrrrrlrrrr}" in text
    assert r"$-$12.50 [$-$15.67, $-$9.33]" in text
    assert r"a \textbar{} b\_c \& 50 \% \textless{}i\textgreater{}" in text
    assert text.count(r"\midrule") == 4
    assert r"\label{tab:imagenet-1}" in text
    assert r"\label{tab:imagenet-1-1}" in text


def test_the_preamble_that_it_needs_is_said() -> None:
    assert r"\usepackage{booktabs,longtable}" in render(made_table(), "latex").splitlines()[1]


@pytest.mark.parametrize(("text", "written"), [
    ("100% of $5 & #1_x", r"100\% of \$5 \& \#1\_x"),
    (r"a\b{c}~^", r"a\textbackslash{}b\{c\}\textasciitilde{}\textasciicircum{}"),
    ("75 ± 0.5", r"75 $\pm$ 0.5"), ("-1.5 and x-1 and 4-bit", "$-$1.5 and x-1 and 4-bit"), ("--check", "-{}-check"),
    ('"quoted"', "''quoted''"), ("a\nb", "a b"), ("-0.5 to -0.25", "$-$0.5 to $-$0.25")])
def test_escaping(text: str, written: str) -> None:
    assert escape(text) == written


@given(st.lists(st.text(max_size=12), min_size=2, max_size=2))
def test_any_text_is_only_text(cells: list[str]) -> None:
    grid = Grid((Column("a", cells[0]), Column("b", "b", "number")), (((cells[1], 1.0),),), cells[0])
    text = to_latex(Document(cells[0], (Part(cells[1], grid, notes=(cells[0],), aside=(grid,)),), (cells[1],)))
    assert check(text) == [[2, 2], [2, 2]]


def test_a_row_that_begins_with_a_bracket_is_no_argument() -> None:
    """LaTeX would read ``\\\\`` and then ``[`` on the next line as a length."""
    grid = Grid((Column("a", "a"), Column("b", "b")), ((("x", "y"), ("[1]", "y"), ("*", "y")),))
    lines = to_latex(Document("t", (Part("p", grid),))).splitlines()
    assert [line for line in lines if line.endswith(r"y \\")] == [r"x & y \\", r"{}[1] & y \\", r"{}* & y \\"]


KINDS = r"\begin{table}", r"\begin{longtable}{lr}"


def _long(rows: int) -> Document:
    grid = Grid((Column("a", "a"), Column("b", "b", "number")), tuple(((("x", float(row)),)) for row in range(rows)))
    return Document("t", (Part("p", grid, notes=("a note",)),))


def test_a_table_longer_than_a_page_goes_over_several() -> None:
    short, long = (to_latex(_long(rows)) for rows in (40, 41))
    assert ([kind in short for kind in KINDS], [kind in long for kind in KINDS]) == ([True, False], [False, True])
    assert long.index(r"\midrule") < long.index(r"\endhead") < long.index("x & 0")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_takes_it(tmp_path: Path) -> None:
    for name, text in {"made": render(made_table(), "latex"), "long": to_latex(_long(100))}.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
    (tmp_path / "all.tex").write_text(r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}"
                                      r"\input{made}\input{long}\end{document}")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "too large for page" not in done.stdout
