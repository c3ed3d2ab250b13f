"""Sentiment in the mini language: strengths, degrees, negation, and which clause has the word."""

from __future__ import annotations

import pytest

from harness_tasks.language.grammar_draw import Draw
from harness_tasks.language.grammar_sentiment import review, sentiment


@pytest.mark.parametrize(("sentence", "expected"), [
    ("the plot is good .", 2.0),
    ("the plot is very good .", 3.0),
    ("the plot is somewhat good .", 1.0),
    ("the plot is not good .", -1.0),
    ("the plot is never extremely dull .", 2.0),
    ("the plot is not awful .", 1.5),
    ("critics adore the cast .", 3.0),
    ("critics do not adore the cast .", -1.5),
    ("nobody hates the cast .", 1.5),
    ("nobody enjoys the cast .", -1.0),
    # "and" adds; the stronger of two opposites wins, and equals cancel.
    ("the plot is superb and the cast is bad .", 1.0),
    ("the plot is pleasant and the cast is terrible .", -2.0),
    ("the plot is good and the cast is bad .", 0.0),
    # A negation reaches no further than its clause.
    ("the plot is not good and the cast is good .", 1.0),
    # "but" gives the second clause the word, "although" the main clause.
    ("the plot is superb , but the cast is bland .", -1.0),
    ("the plot is superb and the music is superb , but the cast is bland and the humor is flat .", -2.0),
    ("although the plot is awful , the cast is decent .", 1.0),
    ("the cast is decent although the plot is awful .", 1.0),
    ("although the plot is awful , the cast is decent and fans love the humor .", 4.0),
])
def test_sentiment_by_hand(sentence: str, expected: float) -> None:
    assert sentiment(sentence) == expected


@pytest.mark.parametrize("positive", [True, False])
def test_reviews_are_what_they_should_be(positive: bool) -> None:
    found = [review(Draw(f"{positive} {number}"), positive) for number in range(300)]
    assert all((sentiment(sentence) > 0) == positive and sentiment(sentence) != 0 for sentence in found)
    assert len(set(found)) > 280
