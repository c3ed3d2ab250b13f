"""Premises and hypotheses for RTE and MNLI: random statements, small edits of them, and how they are written."""

from __future__ import annotations

from dataclasses import replace

from .grammar_draw import Draw
from .grammar_draws import NOUNS_OF
from .grammar_entailment import OPPOSITE, Kind, Predicate, Quantifier, Relation, Statement, entails, relation
from .grammar_sentences import with_article, written
from .grammar_words import ADJECTIVES, ADVERBS, GENRES, IMPLIED, NOUNS, PLACES, VERBS, Genre, Sort, Verb

RELATIVE_VERBS: dict[Sort, tuple[str, ...]] = {
    "person": ("sing", "dance", "work", "cry", "sob"), "animal": ("rest", "sleep"), "thing": ()}
"""Verbs of relative clauses. Statements use other verbs, so none follows from its own relative clause."""

_SPECIFIED = tuple(verb for verb in VERBS.values() if not any(verb.name in names for names in RELATIVE_VERBS.values()))

_QUANTIFIERS: tuple[Quantifier, ...] = ("every", "some", "no", "not every")


def written_statement(draw: Draw, statement: Statement) -> list[str]:
    """One of the ways to say a statement."""
    plural = draw.chance(0.4)
    predicate, negated = statement.predicate, False
    match statement.quantifier:
        case "every":
            determiner = "all" if plural else draw.pick(("every", "each"))
        case "some":
            determiner = "some" if plural else draw.pick(("some", "a", "at least one"))
        case "no":
            determiner = "no"
        case _:
            # With an object, "some dog does not chase every cat" could be read in two ways.
            negated = predicate.object is None and draw.chance(0.5)
            determiner = "some" if negated else "not all" if plural else "not every"
    verb = VERBS[predicate.verb]
    said = [("do" if plural else "does"), "not", verb.base] if negated else [verb.base if plural else verb.third]
    patient = _written_object(draw, predicate)
    subject = _written_kind(determiner, statement.subject, plural)
    return [*subject, *said, *patient, *predicate.place.split(), *([predicate.adverb] if predicate.adverb else [])]


def _written_object(draw: Draw, predicate: Predicate) -> list[str]:
    if predicate.object is None:
        return []
    every = predicate.quantifier == "every"
    plural = every and draw.chance(0.4)
    some = draw.pick(("a", "a", "at least one"))
    return _written_kind("all" if plural else "every" if every else some, predicate.object, plural)


def _written_kind(determiner: str, kind: Kind, plural: bool) -> list[str]:
    noun = NOUNS[kind.noun]
    words = ([kind.adjective] if kind.adjective else []) + [noun.plural if plural else noun.singular]
    if kind.relative:
        words += ["that", VERBS[kind.relative].base if plural else VERBS[kind.relative].third]
    return [*with_article(determiner, words[0]).split(), *words]


def draw_statement(draw: Draw, genre: Genre) -> Statement:
    """A random statement."""
    verb = draw.pick(_SPECIFIED)
    patient = _draw_kind(draw, genre, draw.pick(verb.objects), 0.1) if verb.objects else None
    predicate = Predicate(verb.name, "every" if patient and draw.chance(0.3) else "some", patient,
                          draw.pick(PLACES[genre]) if draw.chance(0.25) else "",
                          draw.pick(ADVERBS) if draw.chance(0.15) else "")
    return Statement(draw.pick(_QUANTIFIERS), _draw_kind(draw, genre, draw.pick(verb.subjects), 0.15), predicate)


def _draw_kind(draw: Draw, genre: Genre, sort: Sort, relative: float) -> Kind:
    clause = draw.pick(RELATIVE_VERBS[sort]) if sort != "thing" and draw.chance(relative) else ""
    return Kind(draw.pick(NOUNS_OF[genre, sort]).name, draw.pick(ADJECTIVES[sort]) if draw.chance(0.25) else "", clause)


def edit(draw: Draw, statement: Statement, genre: Genre) -> Statement:
    """The statement with one thing changed: a wider, narrower or other word, a part added or taken away."""
    predicate = statement.predicate
    kinds = ["subject"] * 3 + ["verb"] * 2 + ["object"] * 3 * (predicate.object is not None) + ["place", "adverb"]
    match draw.pick(kinds):
        case "subject":
            return replace(statement, subject=_edit_kind(draw, statement.subject, genre))
        case "verb":
            predicate = replace(predicate, verb=_edit_verb(draw, VERBS[predicate.verb], statement))
        case "object" if predicate.object is not None:
            predicate = (replace(predicate, quantifier="some" if predicate.quantifier == "every" else "every")
                         if draw.chance(0.15) else replace(predicate, object=_edit_kind(draw, predicate.object, genre)))
        case "place":
            predicate = replace(predicate, place=_switched(draw, predicate.place, PLACES[genre]))
        case _:
            predicate = replace(predicate, adverb=_switched(draw, predicate.adverb, ADVERBS))
    return replace(statement, predicate=predicate)


def _switched(draw: Draw, word: str, words: tuple[str, ...]) -> str:
    return "" if word else draw.pick(words)


def _edit_kind(draw: Draw, kind: Kind, genre: Genre) -> Kind:
    noun = NOUNS[kind.noun]
    if draw.chance(0.3):
        return replace(kind, adjective=_switched(draw, kind.adjective, ADJECTIVES[noun.sort]))
    if kind.relative and draw.chance(0.3):
        return replace(kind, relative="")
    up = [name for name in IMPLIED[noun.name][1:] if NOUNS[name].genre]
    down = [one.name for one in NOUNS_OF[genre, noun.sort] if noun.name in IMPLIED[one.name][1:]]
    beside = [one.name for one in NOUNS_OF[genre, noun.sort] if one.parent == noun.parent and one.name != noun.name]
    return replace(kind, noun=draw.pick(draw.pick([names for names in (up, up, down, down, beside) if names])))


def _edit_verb(draw: Draw, verb: Verb, statement: Statement) -> str:
    """A verb that is implied by this one, implies it, or is beside it; subject and object must go with it."""
    subject, patient = statement.subject, statement.predicate.object
    fitting = [one for one in _SPECIFIED if one.name != verb.name and NOUNS[subject.noun].sort in one.subjects
               and (NOUNS[patient.noun].sort in one.objects if patient else not one.objects)]
    related = [one.name for one in fitting if verb.name in IMPLIED[one.name] or one.name in IMPLIED[verb.name]]
    return draw.pick(related) if related and draw.chance(0.8) else draw.pick([one.name for one in fitting])


def _other_side(draw: Draw, statement: Statement, genre: Genre) -> Statement:
    """One or two edits and, as often as not, another quantifier: mostly the opposite, so that contradictions occur."""
    edited = edit(draw, statement, genre)
    if draw.chance(0.15):
        edited = edit(draw, edited, genre)
    if draw.chance(0.4):
        return edited
    return replace(edited, quantifier=draw.pick((OPPOSITE[edited.quantifier], draw.pick(_QUANTIFIERS))))


def statement_pair(draw: Draw, genre: Genre) -> list[Statement]:
    """Two different statements, either of which may be the edited one."""
    statement = draw_statement(draw, genre)
    pair = draw.shuffled((statement, _other_side(draw, statement, genre)))
    return pair if pair[0] != pair[1] else statement_pair(draw, genre)


def inference_pair(draw: Draw, label: Relation, genre: Genre) -> tuple[str, str]:
    """A premise and a hypothesis of MNLI in this relation."""
    while True:
        premise, hypothesis = statement_pair(draw, genre)
        if relation(premise, hypothesis) == label:
            return written(written_statement(draw, premise)), written(written_statement(draw, hypothesis))


def entailment_pair(draw: Draw, entailed: bool) -> tuple[str, str]:
    """A premise of two statements and a hypothesis of RTE: does it follow from what the premise says?"""
    genre = draw.pick(GENRES)
    while True:
        (premise, hypothesis), beside = statement_pair(draw, genre), draw_statement(draw, genre)
        follows = any(entails(one, hypothesis) for one in (premise, beside))
        if follows == entailed and relation(premise, beside) != "contradiction":
            said = [written_statement(draw, one) for one in draw.shuffled((premise, beside))]
            first = written([*said[0], *draw.pick(((",", "and"), ("while",))), *said[1]])
            return first, written(written_statement(draw, hypothesis))
