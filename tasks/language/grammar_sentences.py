"""Noun phrases and clauses, and how they are written: agreement, negation, active and passive voice.

A structure holds meaning; its methods give words. All sentences are in the simple present, where English shows
agreement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from .grammar_words import Noun, Verb, first_name

DETERMINERS: Mapping[bool, tuple[str, ...]] = MappingProxyType(
    {False: ("the", "this", "that"), True: ("the", "these", "those")})
"""Determiners by plural. They are definite, so that a clause means the same in both voices and under negation."""

Voice = Literal["active", "passive"]


@dataclass(frozen=True)
class NounPhrase:
    """``the hungry dogs``: determiner, adjectives (none: empty) and a noun in one of its numbers."""

    determiner: str
    noun: Noun
    plural: bool = False
    adjective: str = ""

    def words(self) -> list[str]:
        """Its words; ``a`` becomes ``an`` before a vowel."""
        rest = ([self.adjective] if self.adjective else []) + [self.noun.plural if self.plural else self.noun.singular]
        return [with_article(self.determiner, rest[0]), *rest]

    @property
    def meaning(self) -> tuple[str, ...]:
        """What it means: equal for phrases that differ in second names only."""
        return (self.determiner, self.noun.name, "plural" if self.plural else "", first_name(self.adjective))


@dataclass(frozen=True)
class Clause:
    """``the dogs do not chase a cat in the garden today``: who does what to whom, where and how."""

    subject: NounPhrase
    verb: Verb
    patient: NounPhrase | None = None
    place: str = ""
    adverb: str = ""
    negated: bool = False
    voice: Voice = field(default="active", compare=False)

    def words(self) -> list[str]:
        """Its words in its voice; a clause without an object is always active."""
        if self.voice == "passive" and self.patient is not None:
            copula = ["are" if self.patient.plural else "is"] + ["not"] * self.negated
            return [*self.patient.words(), *copula, self.verb.participle, "by", *self.subject.words(), *self.ending()]
        patient = self.patient.words() if self.patient else []
        return [*self.subject.words(), *self.verb_words(), *patient, *self.ending()]

    def verb_words(self) -> list[str]:
        """The verb of the active clause: ``chases``, ``chase``, ``does not chase``."""
        if self.negated:
            return ["do" if self.subject.plural else "does", "not", self.verb.base]
        return [self.verb.base if self.subject.plural else self.verb.third]

    def ending(self) -> list[str]:
        """Place, then adverb."""
        return self.place.split() + ([self.adverb] if self.adverb else [])

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it means, whatever its voice and whichever names it uses."""
        patient = self.patient.meaning if self.patient else ()
        return (self.subject.meaning, self.verb.name, patient, first_name(self.place), first_name(self.adverb),
                self.negated)


def with_article(determiner: str, following: str) -> str:
    """The determiner as written before a word: ``a`` or ``an``."""
    return "an" if determiner == "a" and following[0] in "aeiou" else determiner


def written(words: list[str], end: str = ".") -> str:
    """Words as one line of text, lower case as in SST-2; commas and the final sign are words of their own."""
    return " ".join([*words, end])
