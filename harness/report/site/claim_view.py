"""Verdicts on the papers' claims, as the pages show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ...registry import Registry
from ...results.claims.judge import VERDICTS, Verdict
from ..claim_text import measured, paper_title, printed
from ..claims import MIXED, overall

#: The words that a claim as a whole can have, in the order of the pages.
WORDS = (*VERDICTS[:3], MIXED, *VERDICTS[3:])


@dataclass(frozen=True)
class PlaceView:
    """A claim at one place. ``found``: the figures, a line a comparison. ``identities``: of the records that decide
    it; ``commands`` make those that are missing.
    """

    verdict: str
    where: str
    found: tuple[str, ...]
    printed: str
    identities: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class ClaimView:
    """A claim. ``key`` leads to it; ``text``: what the paper says, ``stands``: where; ``verdict``: of all places."""

    key: str
    method: str
    paper: str
    text: str
    stands: str
    note: str
    verdict: str
    places: tuple[PlaceView, ...]


def claim_views(verdicts: Iterable[Verdict], known: Registry, recorded: Collection[str]) -> list[ClaimView]:
    """The claims in the order of their verdicts; ``recorded``: the identities that have a page."""
    claims: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        claims.setdefault(f"{verdict.claim.source}.{verdict.claim.id}", []).append(verdict)
    return [_claim(key, found, known, recorded) for key, found in claims.items()]


def _claim(key: str, verdicts: Sequence[Verdict], known: Registry, recorded: Collection[str]) -> ClaimView:
    claim = verdicts[0].claim
    return ClaimView(key, claim.source, paper_title(claim.source, known), claim.says, claim.where, claim.note,
                     overall(verdicts), tuple(_place(verdict, recorded) for verdict in verdicts))


def _place(verdict: Verdict, recorded: Collection[str]) -> PlaceView:
    claim = verdict.claim
    several = len(verdict.contrasts) > 1
    found = [f"{each.first.label} / {each.second.label}: {measured(claim, each)}" if several else measured(claim, each)
             for each in verdict.contrasts]
    return PlaceView(verdict.verdict, verdict.where, tuple(found or [claim.untestable]), printed(claim, verdict.bits),
                     tuple(each for each in verdict.identities if each in recorded), verdict.commands)


def counts(views: Iterable[ClaimView]) -> list[tuple[str, int]]:
    """How many claims have each word; nothing where there are no claims."""
    found = Counter(view.verdict for view in views)
    return [(word, found[word]) for word in WORDS] if found else []


def by_paper(views: Iterable[ClaimView]) -> dict[str, list[ClaimView]]:
    """The claims of each paper, by its title."""
    papers: dict[str, list[ClaimView]] = {}
    for view in views:
        papers.setdefault(view.paper, []).append(view)
    return papers


def by_record(views: Iterable[ClaimView]) -> dict[str, list[tuple[ClaimView, PlaceView]]]:
    """Identity -> the claims that the record decides, each at its place."""
    decided: dict[str, list[tuple[ClaimView, PlaceView]]] = {}
    for view in views:
        for place in view.places:
            for identity in place.identities:
                decided.setdefault(identity, []).append((view, place))
    return decided
