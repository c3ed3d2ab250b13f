"""Paraphrase and questions in the mini language: same meaning, same question, and whether a sentence answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness_tasks.language.grammar_draw import Draw
from harness_tasks.language.grammar_paraphrase import change_meaning, same_meaning, swap_roles
from harness_tasks.language.grammar_questions import Asked, Question, answered
from harness_tasks.language.grammar_sentences import Clause, NounPhrase
from harness_tasks.language.grammar_words import NOUNS, VERBS, Noun, Verb, renamed, renamed_noun, renamed_verb


def phrase(text: str) -> NounPhrase:
    """``the hungry dogs`` as a phrase, also by second names."""
    determiner, *rest = text.split()
    for noun in NOUNS.values():
        for one in (noun, renamed_noun(noun)):
            if rest[-1] in (one.singular, one.plural):
                return NounPhrase(determiner, one, rest[-1] == one.plural, "".join(rest[:-1]))
    raise ValueError(text)


def verb(name: str) -> Verb:
    return next(one for known in VERBS.values() for one in (known, renamed_verb(known)) if one.base == name)


def clause(subject: str, does: str, patient: str = "", **others: object) -> Clause:
    return Clause(phrase(subject), verb(does), phrase(patient) if patient else None, **others)


CHASE = clause("the dog", "chase", "those hungry cats")
WATCH = clause("this boy", "watch", "the dog", place="in the forest", adverb="quietly")


def said(one: Clause) -> str:
    return " ".join(one.words())


def test_how_clauses_are_written() -> None:
    assert said(CHASE) == "the dog chases those hungry cats"
    assert said(replace(CHASE, negated=True)) == "the dog does not chase those hungry cats"
    assert said(replace(CHASE, voice="passive")) == "those hungry cats are chased by the dog"
    assert said(replace(CHASE, voice="passive", negated=True)) == "those hungry cats are not chased by the dog"
    assert said(WATCH) == "this boy watches the dog in the forest quietly"
    assert said(clause("the children", "sleep", negated=True)) == "the children do not sleep"
    assert said(clause("a owl", "sleep", voice="passive")) == "an owl sleeps"
    assert said(clause("the ponies", "carry" if "carry" in VERBS else "hit", "the mice")) == "the ponies hit the mice"


@pytest.mark.parametrize(("first", "second", "expected"), [
    ([CHASE], [replace(CHASE, voice="passive")], True),
    ([WATCH], [clause("this lad", "observe", "the dog", place="in the woods", adverb="silently")], True),
    ([CHASE, WATCH], [WATCH, CHASE], True),
    ([CHASE], [swap_roles(CHASE)], False),
    ([CHASE], [replace(CHASE, negated=True)], False),
    ([CHASE], [clause("the dog", "chase", "those cats")], False),
    ([CHASE], [clause("the dogs", "chase", "those hungry cats")], False),
    ([CHASE], [clause("the dog", "follow", "those hungry cats")], False),
    ([WATCH], [replace(WATCH, place="in the garden")], False),
    ([WATCH], [replace(WATCH, adverb="")], False),
    ([CHASE, WATCH], [CHASE, CHASE], False),
    ([CHASE, WATCH], [CHASE], False),
])
def test_same_meaning_by_hand(first: list[Clause], second: list[Clause], expected: bool) -> None:
    assert same_meaning(first, second) == expected


def test_changes_change_the_meaning_and_keep_sense() -> None:
    for number in range(200):
        changed = change_meaning(Draw(str(number)), CHASE, "country")
        assert not same_meaning([CHASE], [changed])
        assert changed.subject.noun.sort in changed.verb.subjects
        assert changed.patient is not None
        assert changed.patient.noun.sort in changed.verb.objects
    assert swap_roles(clause("the boy", "buy", "the apple")) is None
    assert swap_roles(clause("the boy", "help", "the dog")) is None, "no dog helps a boy here"


@pytest.mark.parametrize(("asked", "asks", "expected"), [
    ("whether", WATCH, "does this boy watch the dog in the forest quietly"),
    ("whether", replace(WATCH, voice="passive"), "is the dog watched by this boy in the forest quietly"),
    ("whether", replace(WATCH, negated=True), "does this boy not watch the dog in the forest quietly"),
    ("why", replace(CHASE, voice="passive", negated=True), "why are those hungry cats not chased by the dog"),
    ("where", WATCH, "where does this boy watch the dog quietly"),
    ("subject", WATCH, "who watches the dog in the forest quietly"),
    ("subject", clause("the boys", "watch", "the dog", negated=True), "who does not watch the dog"),
    ("subject", replace(CHASE, voice="passive"), "by whom are those hungry cats chased"),
    ("object", CHASE, "who does the dog chase"),
    ("object", replace(CHASE, voice="passive"), "who is chased by the dog"),
    ("object", clause("the boys", "buy", "the apple"), "what do the boys buy"),
])
def test_how_questions_are_written(asked: Asked, asks: Clause, expected: str) -> None:
    assert " ".join(Question(asked, asks).words()) == expected


def test_which_questions_ask_the_same() -> None:
    whom = Question("object", CHASE)
    assert whom.meaning == Question("object", replace(CHASE, voice="passive")).meaning
    assert whom.meaning == Question("object", replace(CHASE, patient=phrase("the owl"))).meaning, "it is not said"
    assert whom.meaning != Question("subject", swap_roles(CHASE) or CHASE).meaning
    assert whom.meaning != Question("object", replace(CHASE, negated=True)).meaning
    assert Question("where", WATCH).meaning == Question("where", replace(WATCH, place="in the garden")).meaning
    assert Question("why", WATCH).meaning != Question("why", replace(WATCH, place="in the garden")).meaning
    assert Question("why", WATCH).meaning != Question("whether", WATCH).meaning


@pytest.mark.parametrize(("asked", "asks", "clauses", "expected"), [
    ("where", replace(WATCH, adverb=""), [CHASE, WATCH], True),
    ("where", replace(WATCH, adverb=""), [CHASE, replace(WATCH, place="")], False),
    ("where", WATCH, [replace(WATCH, adverb="")], False),
    ("where", WATCH, [replace(WATCH, negated=True)], False),
    ("where", WATCH, [clause("this girl", "watch", "the dog", place="in the forest", adverb="quietly")], False),
    ("subject", CHASE, [replace(CHASE, voice="passive")], True),
    ("subject", CHASE, [clause("the wild horse", "chase", "those hungry cats", place="near the barn")], True),
    ("subject", CHASE, [swap_roles(CHASE) or CHASE], False),
    ("object", CHASE, [clause("the dog", "chase", "the boy")], True),
    ("object", CHASE, [clause("the dog", "follow", "the boy")], False),
    ("object", replace(CHASE, place="in the garden"), [CHASE], False),
    ("object", CHASE, [], False),
])
def test_answers_by_hand(asked: Asked, asks: Clause, clauses: list[Clause], expected: bool) -> None:
    assert answered(Question(asked, asks), clauses) == expected


def test_second_names_keep_the_first() -> None:
    boy: Noun = NOUNS["boy"]
    assert (renamed_noun(boy).plural, renamed_noun(boy).name) == ("lads", "boy")
    assert renamed_noun(NOUNS["dog"]) == NOUNS["dog"]
    assert (renamed_verb(VERBS["buy"]).third, renamed_verb(VERBS["buy"]).name) == ("purchases", "buy")
    assert renamed("brave") == "courageous"
    assert renamed("red") == "red"
