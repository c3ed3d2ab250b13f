"""MRPC in the mini language: do two sentences say the same, whatever their synonyms, voices and order of clauses?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from .grammar_draw import Draw
from .grammar_draws import ANIMATE_OBJECTS, INTRANSITIVE, NOUNS_OF, TRANSITIVE, draw_clause, rephrase
from .grammar_sentences import Clause, NounPhrase, written
from .grammar_words import GENRES, PLACES, VERBS, Genre

CONNECTIVES = (("and",), (",", "and"), ("while",))
"""What joins two clauses that are both said to be true; their order does not matter."""


def same_meaning(first: Sequence[Clause], second: Sequence[Clause]) -> bool:
    """Whether two texts of clauses say the same: equal meanings in any order."""
    return Counter(clause.meaning for clause in first) == Counter(clause.meaning for clause in second)


def paraphrase_pair(draw: Draw, equivalent: bool) -> tuple[str, str]:
    """Two sentences that say the same, or nearly the same but for one changed meaning."""
    genre = draw.pick(GENRES)
    first = [draw_clause(draw, genre, draw.pick((ANIMATE_OBJECTS, TRANSITIVE)), negated=0.3)]
    if draw.chance(0.25):
        first.append(draw_clause(draw, genre, INTRANSITIVE, adjective=0.0, adverb=0.0, negated=0.3))
    second = list(first) if equivalent else [change_meaning(draw, first[0], genre), *first[1:]]
    pair = [[rephrase(draw, clause) for clause in draw.shuffled(text)] for text in (first, second)]
    first_text, second_text = _joined(draw, pair[0]), _joined(draw, pair[1])
    if same_meaning(*pair) != equivalent or first_text == second_text:
        return paraphrase_pair(draw, equivalent)
    return first_text, second_text


def _joined(draw: Draw, clauses: list[Clause]) -> str:
    words = clauses[0].words()
    for clause in clauses[1:]:
        words = [*words, *draw.pick(CONNECTIVES), *clause.words()]
    return written(words)


def change_meaning(draw: Draw, clause: Clause, genre: Genre) -> Clause:
    """A clause close to this one with another meaning: changed roles, one other word, or negation."""
    changed = [replace(clause, negated=not clause.negated),
               replace(clause, subject=_other_noun(draw, clause.subject, genre))]
    alike = [verb for verb in VERBS.values() if verb.name != clause.verb.name
             and (verb.subjects, verb.objects) == (clause.verb.subjects, clause.verb.objects)]
    if alike:
        changed.append(replace(clause, verb=draw.pick(alike)))
    if clause.place:
        changed.append(replace(clause, place=draw.pick([place for place in PLACES[genre] if place != clause.place])))
    if clause.patient is not None:
        changed.append(replace(clause, patient=_other_noun(draw, clause.patient, genre)))
        swapped = swap_roles(clause)
        if swapped is not None and draw.chance(0.25):
            return swapped
    return draw.pick(changed)


def swap_roles(clause: Clause) -> Clause | None:
    """The clause with subject and object in each other's place; None where that makes no sense."""
    if clause.patient is None or clause.patient.noun.sort not in clause.verb.subjects:
        return None
    if clause.subject.noun.sort not in clause.verb.objects:
        return None
    return replace(clause, subject=clause.patient, patient=clause.subject)


def _other_noun(draw: Draw, phrase: NounPhrase, genre: Genre) -> NounPhrase:
    nouns = [noun for noun in NOUNS_OF[genre, phrase.noun.sort] if noun.name != phrase.noun.name]
    return replace(phrase, noun=draw.pick(nouns))
