"""STS-B in the mini language: how much of what two sentences say is the same, from 0 to 5."""

from __future__ import annotations

from dataclasses import replace

from .grammar_draw import Draw
from .grammar_draws import TRANSITIVE, draw_clause, draw_noun_phrase, rename_clause
from .grammar_sentences import Clause, NounPhrase, written
from .grammar_words import ADJECTIVES, GENRES, NOUNS, PLACES, VERBS, Genre, first_name

WEIGHTS = {"subject": 3.0, "verb": 3.0, "object": 3.0, "place": 2.0, "adjectives": 1.0}
"""How much each part counts; ``adjectives`` once for the subject's and once for the object's."""

SECOND_NAME = 0.8
"""Agreement of a word with its own second name: the meaning is the same, the word is not."""

KIN = 0.4
"""Agreement of two nouns, or two verbs, one of which implies the other, or that share the word they imply."""


def similarity(first: Clause, second: Clause) -> float:
    """The score of two clauses: five times the weighted mean agreement of their parts, to three decimals.

    The parts are subject, verb, object, place and the two adjectives. A part counts if one of the clauses has it. Its
    agreement is 1 for the same word, ``SECOND_NAME`` for a synonym, ``KIN`` for kin, 0 otherwise.
    """
    same = first.verb.base == second.verb.base
    agreed = [(WEIGHTS["verb"], _kinship(first.verb.name, second.verb.name, same, "verb"))]
    for name, one, two in (("subject", first.subject, second.subject), ("object", first.patient, second.patient)):
        if one and two:
            same = one.noun.singular == two.noun.singular
            agreed.append((WEIGHTS[name], _kinship(one.noun.name, two.noun.name, same, "noun")))
            agreed += _words_agree(one.adjective, two.adjective, WEIGHTS["adjectives"])
    agreed += _words_agree(first.place, second.place, WEIGHTS["place"])
    total = sum(weight for weight, _ in agreed)
    return round(5.0 * sum(weight * value for weight, value in agreed) / total, 3)


def _words_agree(one: str, two: str, weight: float) -> list[tuple[float, float]]:
    if not one and not two:
        return []
    return [(weight, 1.0 if one == two else SECOND_NAME if first_name(one) == first_name(two) else 0.0)]


def _kinship(one: str, two: str, same_word: bool, kind: str) -> float:
    if one == two:
        return 1.0 if same_word else SECOND_NAME
    parents = (NOUNS[one].parent, NOUNS[two].parent) if kind == "noun" else (VERBS[one].parent, VERBS[two].parent)
    related = one == parents[1] or two == parents[0] or (parents[0] is not None and parents[0] == parents[1])
    return KIN if related else 0.0


def similar_pair(draw: Draw) -> tuple[str, str, float]:
    """Two sentences and their score; the number of changed parts is drawn evenly, so all scores occur."""
    genre = draw.pick(GENRES)
    first = draw_clause(draw, genre, TRANSITIVE, adjective=0.4, place=0.7, adverb=0.0, negated=0.0)
    second = first
    for part in draw.shuffled(("subject", "verb", "object", "place", "adjectives"))[:draw.pick(range(6))]:
        second = _change(draw, second, part, genre)
    second = rename_clause(draw, second, 0.25)
    if draw.chance(0.3):
        second = replace(second, voice="passive")
    return written(first.words()), written(second.words()), similarity(first, second)


def _change(draw: Draw, clause: Clause, part: str, genre: Genre) -> Clause:
    """The clause with one part drawn anew; it may, seldom, stay the same."""
    patient = clause.patient
    match part:
        case "subject":
            return replace(clause, subject=_other_noun(draw, clause.subject, genre))
        case "object" if patient is not None:
            return replace(clause, patient=_other_noun(draw, patient, genre))
        case "place":
            return replace(clause, place=draw.pick(PLACES[genre]) if draw.chance(0.7) else "")
        case "adjectives":
            return replace(clause, subject=_other_adjective(draw, clause.subject))
    alike = [verb for verb in TRANSITIVE
             if (verb.subjects, verb.objects) == (clause.verb.subjects, clause.verb.objects)]
    return replace(clause, verb=draw.pick(alike))


def _other_noun(draw: Draw, phrase: NounPhrase, genre: Genre) -> NounPhrase:
    return replace(phrase, noun=draw_noun_phrase(draw, genre, phrase.noun.sort).noun)


def _other_adjective(draw: Draw, phrase: NounPhrase) -> NounPhrase:
    return replace(phrase, adjective=draw.pick(ADJECTIVES[phrase.noun.sort]) if draw.chance(0.7) else "")
