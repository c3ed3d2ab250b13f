"""The similarity score of the mini language, by hand: parts, their weights, synonyms and kin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness_tasks.language.grammar_draw import Draw
from harness_tasks.language.grammar_sentences import Clause, NounPhrase
from harness_tasks.language.grammar_similarity import similar_pair, similarity
from harness_tasks.language.grammar_words import NOUNS, VERBS, renamed_noun, renamed_verb


def a(noun: str, adjective: str = "") -> NounPhrase:
    return NounPhrase("the", NOUNS[noun], False, adjective)


PLAIN = Clause(a("boy"), VERBS["watch"], a("dog"))
FULL = Clause(a("boy", "hungry"), VERBS["watch"], a("dog", "wild"), "in the forest")


@pytest.mark.parametrize(("first", "second", "expected"), [
    (PLAIN, PLAIN, 5.0),
    (FULL, FULL, 5.0),
    (PLAIN, replace(PLAIN, voice="passive"), 5.0),
    # Subject, verb and object count three parts of nine each.
    (PLAIN, replace(PLAIN, subject=a("painter")), 5 * 6 / 9),
    (PLAIN, replace(PLAIN, verb=VERBS["find"]), 5 * 6 / 9),
    # Synonyms.
    (PLAIN, replace(PLAIN, verb=renamed_verb(VERBS["watch"])), 5 * (6 + 3 * 0.8) / 9),
    (PLAIN, replace(PLAIN, subject=replace(PLAIN.subject, noun=renamed_noun(NOUNS["boy"]))), 5 * (6 + 3 * 0.8) / 9),
    # Kin: the implied word, and two words that imply the same one.
    (PLAIN, replace(PLAIN, patient=a("poodle")), 5 * (6 + 3 * 0.4) / 9),
    (PLAIN, replace(PLAIN, patient=a("bird")), 5 * (6 + 3 * 0.4) / 9),
    (PLAIN, replace(PLAIN, patient=a("rat")), 5 * 6 / 9),
    # Place and adjectives count where one of the two has them.
    (FULL, replace(FULL, place=""), 5 * 11 / 13),
    (FULL, replace(FULL, place="in the woods"), 5 * (11 + 2 * 0.8) / 13),
    (FULL, replace(FULL, subject=a("boy")), 5 * 12 / 13),
    (PLAIN, replace(PLAIN, subject=a("boy", "hungry")), 5 * 9 / 10),
    (PLAIN, Clause(a("painter"), VERBS["find"], a("rat")), 0.0),
    (PLAIN, replace(PLAIN, subject=PLAIN.patient, patient=PLAIN.subject), 5 * 3 / 9),
])
def test_similarity_by_hand(first: Clause, second: Clause, expected: float) -> None:
    assert similarity(first, second) == pytest.approx(expected, abs=5e-4)
    assert similarity(second, first) == similarity(first, second)


def test_scores_cover_the_range() -> None:
    scores = [similar_pair(Draw(str(number)))[2] for number in range(1000)]
    assert all(0 <= score <= 5 for score in scores)
    for low in range(5):
        assert sum(low <= score <= low + 1 for score in scores) > 60
