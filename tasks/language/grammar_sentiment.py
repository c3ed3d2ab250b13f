"""SST-2 in the mini language: reviews, and the rule that says whether one is kind.

An opinion word has a strength from -3 to 3. A degree word scales it, a negation turns it and halves it. Clauses joined
by ``and`` are summed. After ``but`` only what follows counts, after ``although`` only what the main clause says.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .grammar_draw import Draw
from .grammar_sentences import written

OPINIONS: Mapping[str, float] = MappingProxyType({word: strength for strength, words in {
    3.0: "superb brilliant wonderful excellent", 2.0: "good funny charming clever", 1.0: "pleasant decent likable",
    -1.0: "bland flat slow", -2.0: "bad dull weak silly", -3.0: "awful terrible dreadful horrible",
}.items() for word in words.split()})
"""Adjectives of opinion and their strength."""

ATTITUDES: Mapping[str, float] = MappingProxyType(
    {"adore": 3.0, "love": 3.0, "enjoy": 2.0, "admire": 2.0,
     "dislike": -2.0, "resent": -2.0, "hate": -3.0, "loathe": -3.0})
"""Verbs of opinion and their strength."""

DEGREES: Mapping[str, float] = MappingProxyType(
    {"very": 1.5, "extremely": 2.0, "truly": 1.5, "slightly": 0.5, "somewhat": 0.5})
"""Degree words and how they scale what follows."""

NEGATIONS = ("not", "never", "hardly", "nobody")
"""Words that turn the clause that they stand in."""

NEGATED = -0.5
"""What a negation multiplies an opinion by: what is not superb is mildly bad."""

TOPICS = ("plot", "story", "acting", "music", "ending", "script", "cast", "humor", "dialogue", "film", "opening",
          "scenery")
"""What reviews speak of."""

JUDGES = ("critics", "viewers", "children", "people", "fans")
"""Who has an attitude; all plural."""


def clause_value(words: list[str]) -> float:
    """The strength of one clause: opinion, degree and negation."""
    value = sum(OPINIONS.get(word, 0.0) + ATTITUDES.get(word.removesuffix("s"), 0.0) for word in words)
    for word in words:
        value *= DEGREES.get(word, 1.0)
    return value * NEGATED if any(word in NEGATIONS for word in words) else value


def sentiment(sentence: str) -> float:
    """How kind a review is: positive for kind, negative for unkind, 0 where its parts cancel."""
    words = sentence.removesuffix(".").split()
    if "but" in words:
        words = words[len(words) - words[::-1].index("but"):]
    if "although" in words:
        start = words.index("although")
        comma = words.index(",", start) if "," in words[start:] else len(words)
        # The clause after "although" is granted, not meant, whether it comes first or last.
        words = words[comma + 1:] if start == 0 else words[:start]
    clauses: list[list[str]] = [[]]
    for word in words:
        if word in ("and", ","):
            clauses.append([])
        else:
            clauses[-1].append(word)
    return sum(clause_value(clause) for clause in clauses)


def review(draw: Draw, positive: bool) -> str:
    """A review whose sentiment is above or below zero."""
    while True:
        sentence = written(_draw_review(draw))
        if sentiment(sentence) * (1 if positive else -1) > 0:
            return sentence


def _draw_review(draw: Draw) -> list[str]:
    first, second = _draw_clauses(draw), _draw_clauses(draw)
    match draw.pick(("plain", "plain", "plain", "but", "but", "although first", "although last")):
        case "plain":
            return [*first, "and", *second] if draw.chance(0.5) else first
        case "but":
            return [*first, ",", "but", *second]
        case "although first":
            return ["although", *_draw_clause(draw), ",", *second]
    return [*first, "although", *_draw_clause(draw)]


def _draw_clauses(draw: Draw) -> list[str]:
    return [*_draw_clause(draw), "and", *_draw_clause(draw)] if draw.chance(0.4) else _draw_clause(draw)


def _draw_clause(draw: Draw) -> list[str]:
    topic = ["the", draw.pick(TOPICS)]
    degree = [draw.pick(tuple(DEGREES))] if draw.chance(0.4) else []
    if draw.chance(0.65):
        negation = [draw.pick(("not", "not", "never", "hardly"))] if draw.chance(0.25) else []
        return [*topic, "is", *negation, *degree, draw.pick(tuple(OPINIONS))]
    attitude = draw.pick(tuple(ATTITUDES))
    match draw.pick(("said", "said", "said", "not", "nobody")):
        case "said":
            return [draw.pick(JUDGES), *(["truly"] if degree else []), attitude, *topic]
        case "not":
            return [draw.pick(JUDGES), *draw.pick((("do", "not"), ("never",))), attitude, *topic]
    return ["nobody", attitude + "s", *topic]
