"""Verdicts as lines for a terminal: a paragraph a claim, a line for each place where it was judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..registry import Registry
from ..results.claims.judge import VERDICTS, Verdict
from .claim_text import measured, paper_title, printed

#: A verdict -> the style of its word.
STYLES = {"reproduced": "green", "not reproduced": "red", "undecided": "yellow", "not tested": "dim"}
_WIDTH = max(map(len, VERDICTS))

#: Pieces of a line, each with its style.
Line = tuple[tuple[str, str], ...]


def claim_lines(verdicts: Sequence[Verdict], known: Registry) -> Iterator[Line]:
    """The verdicts by paper and claim, and how many there are of each."""
    paper = claim = None
    for verdict in verdicts:
        if verdict.claim.source != paper:
            paper, claim = verdict.claim.source, None
            yield ((paper_title(paper, known), "bold"),)
        if verdict.claim.id != claim:
            claim = verdict.claim.id
            yield ()
            yield ((f"{claim}  ", "bold"), (f"{verdict.claim.says} ({verdict.claim.where})", ""))
            if verdict.claim.note:
                yield ((f"  {verdict.claim.note}", "dim"),)
        yield from _verdict(verdict)
    yield ()
    counts = [sum(each.verdict == word for each in verdicts) for word in VERDICTS]
    yield ((", ".join(f"{count} {word}" for count, word in zip(counts, VERDICTS, strict=True)), "bold"),)


def _verdict(verdict: Verdict) -> Iterator[Line]:
    claim = verdict.claim
    word = (f"  {verdict.verdict.ljust(_WIDTH)}  ", STYLES[verdict.verdict])
    printed_effect = printed(claim, verdict.bits)
    paper = (f"; in the paper {printed_effect}" if printed_effect else "", "dim")
    if verdict.scope is None:
        yield word, (f"{verdict.bits}" if verdict.bits else claim.untestable, "")
    elif len(verdict.contrasts) == 1:
        (only,) = verdict.contrasts
        yield word, (f"{verdict.where}: {measured(claim, only)}", ""), paper
    else:
        yield word, (verdict.where, ""), paper
        yield from _indented(f"{each.first.label} / {each.second.label}: {measured(claim, each)}"
                             for each in verdict.contrasts)
    yield from _indented(verdict.commands)


def _indented(texts: Iterable[str]) -> Iterator[Line]:
    return (((f"  {' ' * _WIDTH}  {text}", ""),) for text in texts)
