"""Entailment in the mini language: hand-written pairs, and all pairs against an enumeration of small worlds."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from harness_tasks.language.grammar_draw import Draw
from harness_tasks.language.grammar_entailment import Kind, Predicate, Relation, Statement, relation
from harness_tasks.language.grammar_inference import statement_pair, written_statement
from harness_tasks.language.grammar_words import NOUNS, VERBS, Genre

SUBJECTS, OBJECTS = 2, 2  # Individuals of each sort in a world.


def lineage(name: str, table: dict) -> set[str]:
    found = {name}
    while table[name].parent:
        name = table[name].parent
        found.add(name)
    return found


def truths(first: Kind, second: Kind) -> list[tuple[bool, bool]]:
    """Of which of the two kinds one individual can be: over its most specific noun, its adjectives and what it does."""
    nouns = [lineage(name, NOUNS) for name in {first.noun, second.noun}] + [set()]
    verbs = sorted({verb for verb in (first.relative, second.relative) if verb})
    adjectives = sorted({word for word in (first.adjective, second.adjective) if word})
    found = set()
    for noun in nouns:
        for bits in product((False, True), repeat=len(adjectives) + len(verbs)):
            has = {word for word, bit in zip(adjectives, bits, strict=False) if bit}
            doings = [verb for verb, bit in zip(verbs, bits[len(adjectives):], strict=True) if bit]
            does = set().union(*(lineage(verb, VERBS) for verb in doings))
            found.add(tuple(kind.noun in noun and kind.adjective in {"", *has} and kind.relative in {"", *does}
                            for kind in (first, second)))
    return sorted(found)


def events(first: Predicate, second: Predicate) -> list[tuple[bool, bool]]:
    """Which of the two things can be done at once: over the verb, place and adverb of what is done."""
    found = set()
    doings = [(lineage(one.verb, VERBS), {"", one.place}, {"", one.adverb}) for one in (first, second)]
    for chosen in product((False, True), repeat=2):
        happening = [doing for doing, bit in zip(doings, chosen, strict=True) if bit]
        found.add(tuple(any(one.verb in verbs and one.place in places and one.adverb in adverbs
                            for verbs, places, adverbs in happening) for one in (first, second)))
    return sorted(found)


def enumerated(premise: Statement, hypothesis: Statement) -> Relation:
    """The relation found by looking at every world of two subjects and two objects."""
    pair = (premise, hypothesis)
    things = [statement.predicate.object or Kind("animal") for statement in pair]
    kinds, objects = truths(premise.subject, hypothesis.subject), truths(things[0], things[1])
    done = events(premise.predicate, hypothesis.predicate)
    count = OBJECTS if premise.predicate.object or hypothesis.predicate.object else 1
    shape = [len(kinds)] * SUBJECTS + [len(objects)] * count + [len(done)] * (SUBJECTS * count)
    world = np.indices(shape).reshape(len(shape), -1).T
    is_kind = np.array(kinds)[world[:, :SUBJECTS]]
    is_object = np.array(objects)[world[:, SUBJECTS:SUBJECTS + count]]
    does = np.array(done)[world[:, SUBJECTS + count:]].reshape(-1, SUBJECTS, count, 2)
    true, members = [], np.ones(len(world), dtype=bool)
    for number, statement in enumerate(pair):
        subject, thing, doing = is_kind[..., number], is_object[:, None, :, number], does[..., number]
        if statement.predicate.object is None:
            fits = doing.any(-1)
        else:
            members &= is_object[..., number].any(1)
            fits = (~thing | doing).all(-1) if statement.predicate.quantifier == "every" else (thing & doing).any(-1)
        members &= subject.any(1)
        every, some = (~subject | fits).all(1), (subject & fits).any(1)
        true.append({"every": every, "some": some, "no": ~some, "not every": ~every}[statement.quantifier])
    left = true[1][members & true[0]]
    assert len(left), "the premise is true in some world"
    return "entailment" if left.all() else "neutral" if left.any() else "contradiction"


DOG, ANIMAL, HUNGRY_DOG = Kind("dog"), Kind("animal"), Kind("dog", "hungry")
RUNS, MOVES, RUNS_TODAY = Predicate("run"), Predicate("move"), Predicate("run", adverb="today")


@pytest.mark.parametrize(("premise", "hypothesis", "expected"), [
    # every: down in the noun, up in the verb.
    (Statement("every", ANIMAL, RUNS), Statement("every", DOG, MOVES), "entailment"),
    (Statement("every", DOG, RUNS), Statement("every", ANIMAL, RUNS), "neutral"),
    (Statement("every", DOG, RUNS), Statement("every", HUNGRY_DOG, RUNS), "entailment"),
    (Statement("every", DOG, RUNS), Statement("every", DOG, RUNS_TODAY), "neutral"),
    # some: up in both.
    (Statement("some", HUNGRY_DOG, RUNS_TODAY), Statement("some", ANIMAL, MOVES), "entailment"),
    (Statement("some", ANIMAL, RUNS), Statement("some", DOG, RUNS), "neutral"),
    # no: down in both.
    (Statement("no", ANIMAL, MOVES), Statement("no", DOG, RUNS_TODAY), "entailment"),
    (Statement("no", DOG, RUNS), Statement("no", ANIMAL, RUNS), "neutral"),
    (Statement("no", DOG, RUNS), Statement("no", DOG, MOVES), "neutral"),
    # Between quantifiers.
    (Statement("every", ANIMAL, RUNS), Statement("some", DOG, MOVES), "entailment"),
    (Statement("every", DOG, RUNS), Statement("no", ANIMAL, MOVES), "contradiction"),
    (Statement("some", DOG, RUNS), Statement("no", ANIMAL, MOVES), "contradiction"),
    (Statement("no", ANIMAL, MOVES), Statement("some", DOG, RUNS), "contradiction"),
    (Statement("not every", DOG, MOVES), Statement("every", ANIMAL, RUNS), "contradiction"),
    (Statement("no", DOG, MOVES), Statement("not every", ANIMAL, RUNS), "entailment"),
    (Statement("not every", DOG, RUNS), Statement("no", DOG, RUNS), "neutral"),
    # Objects turn with their own quantifier.
    (Statement("some", DOG, Predicate("chase", "some", Kind("cat"))),
     Statement("some", DOG, Predicate("follow", "some", ANIMAL)), "entailment"),
    (Statement("some", DOG, Predicate("chase", "every", ANIMAL)),
     Statement("some", DOG, Predicate("chase", "every", Kind("cat"))), "entailment"),
    (Statement("no", DOG, Predicate("chase", "some", ANIMAL)),
     Statement("no", DOG, Predicate("chase", "every", Kind("cat"))), "entailment"),
    (Statement("every", DOG, Predicate("chase", "some", Kind("cat"))),
     Statement("every", DOG, Predicate("chase", "every", Kind("cat"))), "neutral"),
])
def test_relation_by_hand(premise: Statement, hypothesis: Statement, expected: Relation) -> None:
    assert relation(premise, hypothesis) == expected
    assert enumerated(premise, hypothesis) == expected


@pytest.mark.parametrize("genre", ["country", "town"])
def test_relation_is_that_of_all_small_worlds(genre: Genre) -> None:
    found: Counter[str] = Counter()
    for number in range(250):
        premise, hypothesis = statement_pair(Draw(f"pair {genre} {number}"), genre)
        expected = enumerated(premise, hypothesis)
        assert relation(premise, hypothesis) == expected, (premise, hypothesis)
        found[expected] += 1
    assert min(found[label] for label in ("entailment", "neutral", "contradiction")) > 20


@pytest.mark.parametrize(("statement", "sentences"), [
    (Statement("every", Kind("dog", "hungry", "rest"), RUNS),
     {"every hungry dog that rests runs", "each hungry dog that rests runs", "all hungry dogs that rest run"}),
    (Statement("not every", Kind("dog"), Predicate("run", place="in the garden", adverb="today")),
     {"not every dog runs in the garden today", "not all dogs run in the garden today",
      "some dog does not run in the garden today", "some dogs do not run in the garden today"}),
    (Statement("some", Kind("artist"), Predicate("chase", "every", Kind("mouse"))),
     {f"{subject} {patient}" for patient in ("every mouse", "all mice")
      for subject in ("some artist chases", "an artist chases", "at least one artist chases", "some artists chase")}),
    (Statement("no", Kind("dog"), Predicate("chase", "some", Kind("owl"))),
     {f"no {subject} {patient}" for subject in ("dog chases", "dogs chase")
      for patient in ("an owl", "at least one owl")}),
])
def test_ways_to_say_a_statement(statement: Statement, sentences: set[str]) -> None:
    assert {" ".join(written_statement(Draw(str(number)), statement)) for number in range(200)} == sentences
