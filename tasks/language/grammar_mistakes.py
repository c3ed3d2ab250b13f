"""Sentences for CoLA: with relative clauses that come between subject and verb, and with one mistake where wanted."""

from __future__ import annotations

from dataclasses import replace

from .grammar_acceptability import DETERMINERS, acceptable
from .grammar_draw import Draw
from .grammar_draws import ANIMATE_OBJECTS, INTRANSITIVE, TRANSITIVE, draw_clause, draw_noun_phrase
from .grammar_sentences import NounPhrase, with_article, written
from .grammar_words import ADVERBS, GENRES, NOUNS, PLACES, VERBS, Genre

_FLIPPED = {form: other for noun in NOUNS.values() for form, other in
            ((noun.singular, noun.plural), (noun.plural, noun.singular))}
_FLIPPED |= {form: other for verb in VERBS.values() for form, other in
             ((verb.base, verb.third), (verb.third, verb.base))}
_FLIPPED |= {"is": "are", "are": "is", "do": "does", "does": "do"}
"""Each noun and finite verb in its other number."""

_FINITE = {form for verb in VERBS.values() for form in (verb.base, verb.third)} | {"is", "are"}


def judged_sentence(draw: Draw, label: bool) -> str:
    """A sentence that is acceptable, or one with a mistake."""
    while True:
        words = _draw_sentence(draw, draw.pick(GENRES))
        if not label:
            words = _mistaken(draw, words)
        sentence = written(words)
        if acceptable(sentence) == label:
            return sentence


def _draw_sentence(draw: Draw, genre: Genre) -> list[str]:
    """An acceptable sentence; often words with a number of their own stand between subject and verb."""
    clause = draw_clause(draw, genre, draw.pick((INTRANSITIVE, TRANSITIVE)), adjective=0.1, place=0.2)
    if clause.patient is not None and draw.chance(0.2):
        clause = replace(clause, voice="passive")
    clause = replace(clause, subject=_any_determiner(draw, clause.subject),
                     patient=clause.patient and _any_determiner(draw, clause.patient))
    words = clause.words()
    head = clause.patient if clause.voice == "passive" and clause.patient else clause.subject
    modified = head.words() + _modifier(draw, genre, head)
    return modified + words[len(head.words()):]


def _any_determiner(draw: Draw, phrase: NounPhrase) -> NounPhrase:
    """The phrase with any determiner of its number; ``words`` writes the article."""
    return replace(phrase, determiner=draw.pick([word for word in DETERMINERS[phrase.plural] if word != "an"]))


def _modifier(draw: Draw, genre: Genre, head: NounPhrase) -> list[str]:
    """What follows a noun: nothing, a place, a relative clause about its subject, or one about its object."""
    verbs = tuple(verb for verb in (*INTRANSITIVE, *ANIMATE_OBJECTS) if head.noun.sort in verb.subjects)
    kind = draw.pick(("none", "none", "none", "place", "object", "object", "subject"))
    if kind == "place":
        return draw.pick(PLACES[genre]).split()
    if kind == "subject" and verbs:
        clause = draw_clause(draw, genre, verbs, adjective=0.0, place=0.0, adverb=0.0, negated=0.1)
        clause = replace(clause, subject=head, patient=clause.patient and _any_determiner(draw, clause.patient))
        return ["that", *clause.words()[len(head.words()):]]
    if kind == "object":
        verb = draw.pick([verb for verb in TRANSITIVE if head.noun.sort in verb.objects])
        agent = _any_determiner(draw, draw_noun_phrase(draw, genre, draw.pick(verb.subjects), 0.0))
        return ["that", *agent.words(), verb.base if agent.plural else verb.third]
    return []


def _mistaken(draw: Draw, words: list[str]) -> list[str]:
    """The words with one change that often is a mistake; the recogniser decides."""
    changed = list(words)
    kind = draw.pick(("number",) * 3 + ("determiner", "order", "missing", "verb"))
    if kind == "number":
        places = [place for place, word in enumerate(words) if word in _FLIPPED]
        place = draw.pick(places)
        changed[place] = _FLIPPED[words[place]]
    elif kind == "determiner":
        every = {*DETERMINERS[False], *DETERMINERS[True]}
        place = draw.pick([place for place, word in enumerate(words) if word in every])
        wrong = draw.pick(DETERMINERS[draw.chance(0.5)])
        changed[place] = with_article("a" if wrong == "an" else wrong, words[place + 1])
    elif kind == "order":
        # An adverb may stand in many places; all other words are moved.
        place = draw.pick([place for place in range(len(words) - 1) if not {*words[place:place + 2]} & {*ADVERBS}])
        changed[place], changed[place + 1] = words[place + 1], words[place]
    else:
        place = draw.pick([place for place, word in enumerate(words) if word in _FINITE])
        changed[place:place + 1] = [] if kind == "missing" else [_other_verb(draw, words[place])]
    return changed


def _other_verb(draw: Draw, word: str) -> str:
    """A verb in the same form that takes an object where this one takes none, or the other way round."""
    for verb in VERBS.values():
        if word in (verb.base, verb.third):
            swapped = draw.pick([one for one in VERBS.values() if bool(one.objects) != bool(verb.objects)])
            return swapped.base if word == verb.base else swapped.third
    return word
