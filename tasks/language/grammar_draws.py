"""Random noun phrases and clauses that make sense: verbs get the sorts of subjects and objects that they take."""

from __future__ import annotations

from dataclasses import replace

from .grammar_draw import Draw
from .grammar_sentences import DETERMINERS, Clause, NounPhrase
from .grammar_words import (
    ADJECTIVES,
    ADVERBS,
    NOUNS,
    PLACES,
    VERBS,
    Genre,
    Noun,
    Sort,
    Verb,
    renamed,
    renamed_noun,
    renamed_verb,
)

NOUNS_OF: dict[tuple[Genre, Sort], tuple[Noun, ...]] = {
    (genre, sort): tuple(noun for noun in NOUNS.values() if noun.genre == genre and noun.sort == sort)
    for genre in PLACES for sort in ADJECTIVES}
"""Nouns by genre and sort, without the two that both genres share."""

INTRANSITIVE = tuple(verb for verb in VERBS.values() if not verb.objects)
TRANSITIVE = tuple(verb for verb in VERBS.values() if verb.objects)
ANIMATE_OBJECTS = tuple(verb for verb in TRANSITIVE if "animal" in verb.objects)
"""Verbs done to people and animals: subject and object can change places."""


def draw_noun_phrase(draw: Draw, genre: Genre, sort: Sort, adjective: float = 0.3) -> NounPhrase:
    """A noun phrase of a sort, with an adjective at this probability."""
    plural = draw.chance(0.5)
    determiner = draw.pick(DETERMINERS[plural])
    word = draw.pick(ADJECTIVES[sort]) if draw.chance(adjective) else ""
    return NounPhrase(determiner, draw.pick(NOUNS_OF[genre, sort]), plural, word)


def draw_clause(draw: Draw, genre: Genre, verbs: tuple[Verb, ...], *, adjective: float = 0.15, place: float = 0.3,
                adverb: float = 0.1, negated: float = 0.2) -> Clause:
    """A clause with one of these verbs; the numbers are probabilities of its optional parts. Its nouns differ."""
    verb = draw.pick(verbs)
    subject = draw_noun_phrase(draw, genre, draw.pick(verb.subjects), adjective)
    patient = draw_noun_phrase(draw, genre, draw.pick(verb.objects), adjective) if verb.objects else None
    while patient is not None and patient.noun == subject.noun:
        patient = replace(patient, noun=draw.pick(NOUNS_OF[genre, patient.noun.sort]))
    return Clause(subject, verb, patient, draw.pick(PLACES[genre]) if draw.chance(place) else "",
                  draw.pick(ADVERBS) if draw.chance(adverb) else "", draw.chance(negated))


def rename_phrase(draw: Draw, phrase: NounPhrase, probability: float) -> NounPhrase:
    """The same phrase, each of its words under its second name at this probability."""
    noun = renamed_noun(phrase.noun) if draw.chance(probability) else phrase.noun
    adjective = renamed(phrase.adjective) if draw.chance(probability) else phrase.adjective
    return replace(phrase, noun=noun, adjective=adjective)


def rename_clause(draw: Draw, clause: Clause, probability: float) -> Clause:
    """The same clause, each of its words under its second name at this probability."""
    return replace(
        clause,
        subject=rename_phrase(draw, clause.subject, probability),
        verb=renamed_verb(clause.verb) if draw.chance(probability) else clause.verb,
        patient=rename_phrase(draw, clause.patient, probability) if clause.patient else None,
        place=renamed(clause.place) if draw.chance(probability) else clause.place,
        adverb=renamed(clause.adverb) if draw.chance(probability) else clause.adverb,
    )


def rephrase(draw: Draw, clause: Clause, probability: float = 0.5) -> Clause:
    """Other words for the same meaning: second names and, as often, the other voice."""
    clause = rename_clause(draw, clause, probability)
    if clause.patient is not None and draw.chance(probability):
        clause = replace(clause, voice="passive" if clause.voice == "active" else "active")
    return clause
