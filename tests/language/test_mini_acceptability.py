"""Acceptability in the mini language: the recogniser against hand-written sentences, and those that are made."""

from __future__ import annotations

import pytest

from harness_tasks.language.grammar_acceptability import acceptable
from harness_tasks.language.grammar_draw import Draw
from harness_tasks.language.grammar_mistakes import judged_sentence

GOOD = """
the dog runs
the dogs run in the garden
an angry owl sleeps quietly
a hungry dog does not run today
many dogs do not chase the cats in the forest again
the dogs that the boy likes sleep
the dog that the boys like sleeps
the boys that like the dog sleep in the garden
the girl in the garden that chases every cat moves
the cats are chased by the dog
the cat near the barn is not chased by these dogs
every person that two children fear sleeps
""".strip().splitlines()

BAD = {
    "agreement": "the dog run",
    "agreement of a negated verb": "the dogs does not run",
    "form after a negation": "the dog does not runs",
    "agreement across a place": "the dogs near the river sleeps",
    "agreement across a relative clause about an object": "the dogs that the boy likes sleeps",
    "agreement across a relative clause about a subject": "the dog that chases the cats sleep",
    "agreement inside of a relative clause": "the dogs that likes the boy sleep",
    "agreement with the relative clause's own subject": "the dog that the boys likes sleeps",
    "agreement in the passive": "the cats is chased by the dog",
    "singular determiner": "every dogs run",
    "plural determiner": "these dog runs",
    "determiner of an object": "the dog chases many cat",
    "article before a consonant": "an dog runs",
    "article before a vowel": "a owl runs",
    "article before an adjective": "a angry dog runs",
    "no verb": "the dog in the garden",
    "no verb in the relative clause": "the dog that the boy sleeps",
    "no participle": "the cat is by the dog",
    "order of noun and determiner": "dog the runs",
    "order of noun and adjective": "the dog hungry runs",
    "order of verb and object": "the dog the cat chases",
    "place before the subject's noun": "the in dog the garden runs",
    "object of an intransitive verb": "the dog sleeps the cat",
    "no object of a transitive verb": "the dog chases",
    "two objects": "the dog chases the cat the owl",
    "unknown word": "the dog flies",
    "nothing": "",
}


@pytest.mark.parametrize("sentence", GOOD)
def test_acceptable_by_hand(sentence: str) -> None:
    assert acceptable(sentence)
    assert acceptable(f"{sentence} .")


@pytest.mark.parametrize("sentence", BAD.values(), ids=BAD)
def test_unacceptable_by_hand(sentence: str) -> None:
    assert not acceptable(sentence)


@pytest.mark.parametrize("label", [True, False])
def test_sentences_have_their_label_and_vary(label: bool) -> None:
    found = [judged_sentence(Draw(f"{label} {number}"), label) for number in range(400)]
    assert all(acceptable(sentence) == label for sentence in found)
    assert len(set(found)) > 380
    assert 0.2 < sum(" that " in sentence for sentence in found) / 400 < 0.8
