"""CoLA in the mini language: a recogniser that says whether a sentence is English, by this grammar.

With N and M for number, singular or plural::

    S     -> NP(N) VP(N)
    NP(N) -> Det(N) [Adjective] Noun(N) [Place] [that VP(N) | that NP(M) V(M, transitive)]
    VP(N) -> (V(N, intransitive) | V(N, transitive) NP(M) | be(N) [not] Participle by NP(M)) [Place] [Adverb]
    V(N)  -> finite form of number N | do(N) not base form
"""

from __future__ import annotations

from collections.abc import Iterator

from .grammar_words import ADJECTIVES, ADVERBS, NOUNS, PLACES, VERBS

DETERMINERS: dict[bool, tuple[str, ...]] = {False: ("the", "a", "an", "this", "every", "each"),
                                            True: ("the", "these", "those", "many", "several", "two", "both")}
"""Determiners by plural. ``that`` is left out, since it also opens relative clauses."""

_NUMBERS = (False, True)
_ADJECTIVES = {word for words in ADJECTIVES.values() for word in words}
_PLACES = [place.split() for places in PLACES.values() for place in places]
_NOUNS = {plural: {noun.plural if plural else noun.singular for noun in NOUNS.values()} for plural in _NUMBERS}
_PARTICIPLES = {verb.participle for verb in VERBS.values() if verb.objects}
_VERBS = {(transitive, plural): {verb.base if plural else verb.third for verb in VERBS.values()
                                 if bool(verb.objects) == transitive} for transitive in _NUMBERS for plural in _NUMBERS}


def acceptable(sentence: str) -> bool:
    """Whether the whole sentence, up to its full stop, follows from the grammar."""
    words = sentence.removesuffix(".").split()
    return any(stop == len(words) for middle, plural in _noun_phrase(words, 0)
               for stop in _verb_phrase(words, middle, plural))


def _at(words: list[str], position: int) -> str:
    return words[position] if position < len(words) else ""


def _noun_phrase(words: list[str], start: int) -> Iterator[tuple[int, bool]]:
    """Ends of the noun phrases that begin at ``start``, and whether they are plural."""
    for plural in _NUMBERS:
        position = start + 1
        if _at(words, start) not in DETERMINERS[plural] or not _article_fits(words, start):
            continue
        position += _at(words, position) in _ADJECTIVES
        if _at(words, position) not in _NOUNS[plural]:
            continue
        for stop in _with_place(words, position + 1):
            yield stop, plural
            if _at(words, stop) == "that":
                yield from ((end, plural) for end in _verb_phrase(words, stop + 1, plural))
                yield from ((end, plural) for middle, number in _noun_phrase(words, stop + 1)
                            for end in _verb(words, middle, number, transitive=True))


def _article_fits(words: list[str], start: int) -> bool:
    vowel = _at(words, start + 1)[:1] in tuple("aeiou")
    return words[start] not in ("a", "an") or (words[start] == "an") == vowel


def _verb_phrase(words: list[str], start: int, plural: bool) -> Iterator[int]:
    """Ends of the verb phrases of this number that begin at ``start``."""
    cores = list(_verb(words, start, plural, transitive=False))
    for middle in _verb(words, start, plural, transitive=True):
        cores += [stop for stop, _ in _noun_phrase(words, middle)]
    if _at(words, start) == ("are" if plural else "is"):
        position = start + 1 + (_at(words, start + 1) == "not")
        if _at(words, position) in _PARTICIPLES and _at(words, position + 1) == "by":
            cores += [stop for stop, _ in _noun_phrase(words, position + 2)]
    for core in cores:
        for stop in _with_place(words, core):
            yield stop
            if _at(words, stop) in ADVERBS:
                yield stop + 1


def _verb(words: list[str], start: int, plural: bool, *, transitive: bool) -> Iterator[int]:
    """Ends of the finite verbs of this number that begin at ``start``."""
    if _at(words, start) in _VERBS[transitive, plural]:
        yield start + 1
    negated = _at(words, start) == ("do" if plural else "does") and _at(words, start + 1) == "not"
    if negated and _at(words, start + 2) in _VERBS[transitive, True]:
        yield start + 3


def _with_place(words: list[str], start: int) -> Iterator[int]:
    """``start``, and the end of the place that begins there."""
    yield start
    if words[start:start + 3] in _PLACES:
        yield start + 3
