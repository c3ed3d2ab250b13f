"""What records say of papers' claims, as a document: a summary, and a table for each paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..registry import Registry
from ..results.claims.judge import VERDICTS, Verdict
from .claim_text import measured, paper_title, printed
from .document import Document, Part
from .grid import Column, Grid, Line
from .json import to_json
from .markdown import to_markdown

#: What a claim is called whose verdicts are not all the same.
MIXED = "differs"

EXPLANATION = (
    "A claim is judged at every scale, model, data set, training budget and bit-width that has the runs it is about. "
    "Reproduced: the 95 % interval lies wholly where the claim says. Not reproduced: it lies wholly elsewhere. "
    "Undecided: it holds both, or its width is not known. Differs: not the same verdict everywhere. The interval "
    "decides on the direction (and on a size where the claim is about one); how large the effect is stands beside the "
    "printed one. Accuracies are compared over the same samples and seeds, costs are counted and exact, all else is as "
    "sure as its seeds agree; x stands for a quotient. The rules are in docs/claims.md.")

_HEAD = (Column("claim", "claim"), Column("says", "the paper says"), Column("stands", "stands in"))
_TESTED = (*_HEAD, Column("printed", "printed effect"), Column("where", "here"), Column("measured", "measured"),
           Column("verdict", "verdict"))
_UNTESTED = (*_HEAD, Column("bits", "bits"), Column("how", "how to test it, or why not"))


def claims_document(verdicts: Sequence[Verdict], known: Registry) -> Document:
    """The verdicts by paper; ``known`` has the papers' names."""
    papers: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        papers.setdefault(verdict.claim.source, []).append(verdict)
    parts = [_paper(paper_title(source, known), found) for source, found in papers.items()]
    summary = [Part("Summary", _summary(papers))] if parts else []
    return Document("What the papers claim, and what the records say", (*summary, *parts),
                    explanation=EXPLANATION if parts else "", empty="No claims.")


def to_markdown_text(verdicts: Sequence[Verdict], known: Registry) -> str:
    """The verdicts as Markdown."""
    return to_markdown(claims_document(verdicts, known))


def to_json_text(verdicts: Sequence[Verdict], known: Registry) -> str:
    """Everything about the verdicts, as JSON."""
    return to_json({"verdicts": [{"verdict": each.verdict, "where": each.where, "bits": each.bits,
                                  "budget": each.budget, "paper": paper_title(each.claim.source, known),
                                  "claim": each.claim, "scope": each.scope, "contrasts": each.contrasts,
                                  "records": each.identities, "commands": each.commands} for each in verdicts]})


#: Format -> what writes it.
FORMATS = {"md": to_markdown_text, "json": to_json_text}


def overall(verdicts: Iterable[Verdict]) -> str:
    """One word for a claim: that of its verdicts where it was tested, :data:`MIXED` where they are not the same."""
    words = {verdict.verdict for verdict in verdicts}
    tested = words - {"not tested"}
    return MIXED if len(tested) > 1 else next(iter(tested or words))


def _summary(papers: Mapping[str, Sequence[Verdict]]) -> Grid:
    words = (*VERDICTS[:3], MIXED, VERDICTS[3])
    counts = {source: [overall(group) for group in _by_claim(verdicts).values()]
              for source, verdicts in papers.items()}
    counts["all"] = [word for found in counts.values() for word in found]
    lines: list[Line] = [(source, float(len(found)), *(float(found.count(word)) for word in words))
                         for source, found in counts.items()]
    head = (Column("paper", "paper"), *(Column(word, word, "number", digits=0) for word in ("claims", *words)))
    return Grid(head, (tuple(lines),))


def _by_claim(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    claims: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        claims.setdefault(verdict.claim.id, []).append(verdict)
    return claims


def _paper(title: str, verdicts: Sequence[Verdict]) -> Part:
    claims = _by_claim(verdicts).values()
    tested = tuple(tuple(_tested(verdict, first=number == 0) for number, verdict in enumerate(group))
                   for claim in claims if (group := [each for each in claim if each.scope]))
    untested = Grid(_UNTESTED, (tuple(_untested(each) for each in verdicts if each.scope is None),), "Not tested")
    notes = tuple(f"{group[0].claim.id}: {group[0].claim.note}" for group in claims if group[0].claim.note)
    if not tested:
        return Part(title, untested, lead="None of these was tested.", notes=notes)
    return Part(title, Grid(_TESTED, tested), notes=notes, aside=(untested,) if untested.groups[0] else ())


def _tested(verdict: Verdict, *, first: bool) -> Line:
    """One line; what the paper says stands in the claim's first one only."""
    claim = verdict.claim
    found = [f"{each.first.label} / {each.second.label}: {measured(claim, each)}" if len(verdict.contrasts) > 1
             else measured(claim, each) for each in verdict.contrasts]
    said = (claim.says, claim.where) if first else ("", "")
    return (claim.id, *said, printed(claim, verdict.bits), verdict.where, "; ".join(found), verdict.verdict)


def _untested(verdict: Verdict) -> Line:
    claim = verdict.claim
    return claim.id, claim.says, claim.where, verdict.bits, claim.untestable or "; ".join(verdict.commands)
