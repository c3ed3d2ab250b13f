"""Quantified statements and what follows from them: monotonicity and hypernyms decide (RTE, MNLI).

A statement is true or false in a world of people, animals and things. Each phrase that it names is taken to have
members in that world, as in ordinary talk, so "every dog sleeps" implies "some dog sleeps". Under this reading the
rules below say exactly what follows; the tests compare them with an enumeration of small worlds.

``every`` is downward monotone in its noun phrase and upward in its predicate, ``some`` upward in both, ``no``
downward in both (van Benthem 1986; Icard and Moss 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .grammar_words import IMPLIED

Quantifier = Literal["every", "some", "no", "not every"]

OPPOSITE: dict[Quantifier, Quantifier] = {"every": "not every", "not every": "every", "some": "no", "no": "some"}
"""The quantifier that makes a statement false exactly where it was true."""

Relation = Literal["entailment", "neutral", "contradiction"]


@dataclass(frozen=True)
class Kind:
    """``hungry dog that sleeps``: names of a noun, an adjective and an intransitive verb; the last two may be empty."""

    noun: str
    adjective: str = ""
    relative: str = ""


@dataclass(frozen=True)
class Predicate:
    """``chases every cat in the garden today``: a verb, its quantified object if it has one, a place, an adverb."""

    verb: str
    quantifier: Literal["every", "some"] = "some"
    object: Kind | None = None
    place: str = ""
    adverb: str = ""


@dataclass(frozen=True)
class Statement:
    """``no hungry dog chases every cat``; the subject's quantifier has the wide scope."""

    quantifier: Quantifier
    subject: Kind
    predicate: Predicate


def kind_implies(first: Kind, second: Kind) -> bool:
    """Whether everything of the first kind is of the second."""
    return (second.noun in IMPLIED[first.noun] and second.adjective in ("", first.adjective)
            and (not second.relative or (first.relative != "" and second.relative in IMPLIED[first.relative])))


def predicate_implies(first: Predicate, second: Predicate) -> bool:
    """Whether whoever does the first does the second."""
    if second.verb not in IMPLIED[first.verb] or second.place not in ("", first.place):
        return False
    if second.adverb not in ("", first.adverb):
        return False
    if first.object is None or second.object is None:
        return first.object == second.object
    up, down = kind_implies(first.object, second.object), kind_implies(second.object, first.object)
    return {("some", "some"): up, ("every", "every"): down, ("every", "some"): up or down,
            ("some", "every"): False}[first.quantifier, second.quantifier]


def entails(premise: Statement, hypothesis: Statement) -> bool:
    """Whether the hypothesis is true in every world where the premise is."""
    up, down = kind_implies(premise.subject, hypothesis.subject), kind_implies(hypothesis.subject, premise.subject)
    narrower = predicate_implies(premise.predicate, hypothesis.predicate)
    wider = predicate_implies(hypothesis.predicate, premise.predicate)
    return {("every", "every"): down and narrower, ("every", "some"): (up or down) and narrower,
            ("some", "some"): up and narrower, ("no", "no"): down and wider,
            ("no", "not every"): (up or down) and wider, ("not every", "not every"): up and wider,
            }.get((premise.quantifier, hypothesis.quantifier), False)


def relation(premise: Statement, hypothesis: Statement) -> Relation:
    """MNLI's label: a hypothesis is contradicted if its opposite is entailed."""
    if entails(premise, hypothesis):
        return "entailment"
    opposite = replace(hypothesis, quantifier=OPPOSITE[hypothesis.quantifier])
    return "contradiction" if entails(premise, opposite) else "neutral"
