"""QQP and QNLI in the mini language: questions, when two ask the same, and whether a sentence answers one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .grammar_draw import Draw
from .grammar_draws import ANIMATE_OBJECTS, INTRANSITIVE, TRANSITIVE, draw_clause, rename_clause, rephrase
from .grammar_paraphrase import change_meaning, swap_roles
from .grammar_sentences import Clause, written
from .grammar_words import GENRES, Genre

Asked = Literal["whether", "why", "where", "subject", "object"]
"""What a question wants to know of its clause."""


_PARTS: dict[Asked, int] = {"subject": 0, "object": 2, "where": 3}
"""Where in the meaning of a clause the asked part is."""

_OPTIONAL = (3, 4)
"""Place and adverb: a question need not mention them."""

_TURNED: dict[Asked, Asked] = {"subject": "object", "object": "subject", "why": "where", "where": "why",
                               "whether": "why"}


@dataclass(frozen=True)
class Question:
    """A question about a clause. The part that is asked for is not said, whatever it is in ``clause``."""

    asked: Asked
    clause: Clause

    def words(self) -> list[str]:
        """Its words, without the question mark, in the voice of its clause."""
        clause = self.clause
        passive = clause.voice == "passive" and clause.patient is not None
        ending = clause.ending() if self.asked != "where" else ([clause.adverb] if clause.adverb else [])
        agent, patient = clause.subject.words(), clause.patient.words() if clause.patient else []
        if self.asked == "subject":
            if passive:
                return ["by", "whom", *self._copula(), *patient, *self._not(), clause.verb.participle, *ending]
            singular = replace(clause, subject=replace(clause.subject, plural=False))
            return ["who", *singular.verb_words(), *patient, *ending]
        if self.asked == "object":
            word = "what" if clause.patient is None or clause.patient.noun.sort == "thing" else "who"
            if passive:
                return [word, "is", *self._not(), clause.verb.participle, "by", *agent, *ending]
            return [word, self._auxiliary(), *agent, *self._not(), clause.verb.base, *ending]
        opening = {"whether": [], "why": ["why"], "where": ["where"]}[self.asked]
        if passive:
            return [*opening, *self._copula(), *patient, *self._not(), clause.verb.participle, "by", *agent, *ending]
        return [*opening, self._auxiliary(), *agent, *self._not(), clause.verb.base, *patient, *ending]

    @property
    def meaning(self) -> tuple[object, ...]:
        """What is asked and what is said: equal for two questions that ask the same."""
        hidden = _PARTS.get(self.asked)
        return (self.asked, *(None if part == hidden else said for part, said in enumerate(self.clause.meaning)))

    def _auxiliary(self) -> str:
        return "do" if self.clause.subject.plural else "does"

    def _copula(self) -> list[str]:
        return ["are" if self.clause.patient is not None and self.clause.patient.plural else "is"]

    def _not(self) -> list[str]:
        return ["not"] * self.clause.negated


def answered(question: Question, clauses: Sequence[Clause]) -> bool:
    """Whether one of the clauses, all said to be true, says all that the question says and has the asked part.

    A clause that is negated answers nothing. What the question does not mention (place, adverb) may be said.
    """
    return any(_answers(question, clause) for clause in clauses)


def _answers(question: Question, clause: Clause) -> bool:
    if clause.negated or (question.asked == "where" and not clause.place):
        return False
    hidden = _PARTS.get(question.asked)
    return all(part == hidden or asked == said or (part in _OPTIONAL and not asked)
               for part, (asked, said) in enumerate(zip(question.clause.meaning, clause.meaning, strict=True)))


def question_pair(draw: Draw, duplicate: bool) -> tuple[str, str]:
    """Two questions that ask the same, or nearly the same."""
    genre = draw.pick(GENRES)
    clause = draw_clause(draw, genre, draw.pick((ANIMATE_OBJECTS, TRANSITIVE, INTRANSITIVE)), place=0.4, negated=0.15)
    first = Question(_draw_asked(draw, clause, ("whether", "why", "where", "subject", "object")), clause)
    second = first if duplicate else _other_question(draw, first, genre)
    pair = [replace(question, clause=rephrase(draw, question.clause)) for question in (first, second)]
    first_text, second_text = (written(question.words(), "?") for question in pair)
    if (pair[0].meaning == pair[1].meaning) != duplicate or first_text == second_text:
        return question_pair(draw, duplicate)
    return first_text, second_text


def _draw_asked(draw: Draw, clause: Clause, choices: tuple[Asked, ...]) -> Asked:
    """Something that makes sense to ask of a clause: only people are asked for by ``who`` as subjects."""
    senseless = set() if clause.subject.noun.sort == "person" else {"subject"}
    if clause.patient is None:
        senseless.add("object")
    return draw.pick([asked for asked in choices if asked not in senseless])


def _other_question(draw: Draw, question: Question, genre: Genre) -> Question:
    """A question close to this one that asks something else: about another clause, or for another part."""
    swapped = swap_roles(question.clause)
    if draw.chance(0.3):
        asked = _TURNED[question.asked]
        if asked in ("subject", "object"):
            # "Who chases the dog?" becomes "Who does the dog chase?": the phrase that is said stays.
            return Question(asked, swapped) if swapped else _other_question(draw, question, genre)
        return Question(asked, question.clause)
    return replace(question, clause=change_meaning(draw, question.clause, genre))


def question_and_sentence(draw: Draw, answer: bool) -> tuple[str, str]:
    """A question and a sentence of two clauses that answers it, or only looks as if it did."""
    genre = draw.pick(GENRES)
    verbs = draw.pick((ANIMATE_OBJECTS, ANIMATE_OBJECTS, TRANSITIVE, INTRANSITIVE))
    clause = draw_clause(draw, genre, verbs, adjective=0.0, place=0.5, negated=0.0)
    verbs = draw.pick((ANIMATE_OBJECTS, INTRANSITIVE))
    distractor = draw_clause(draw, genre, verbs, adjective=0.0, place=0.5)
    if draw.chance(0.5):
        # The other clause shares words with the question, so that finding them is not enough.
        distractor = replace(change_meaning(draw, clause, genre), place=distractor.place)
    question = Question(_draw_asked(draw, clause, ("where", "subject", "object")), replace(clause, adverb=""))
    told = clause if answer or draw.chance(0.3) else change_meaning(draw, clause, genre)
    if not answer and draw.chance(0.4):
        told = replace(told, place="" if question.asked == "where" else told.place)
    clauses = draw.shuffled([told, distractor])
    if answered(question, clauses) != answer:
        return question_and_sentence(draw, answer)
    asked = replace(question, clause=rename_clause(draw, question.clause, 0.3))
    said = [rephrase(draw, one, 0.3) for one in clauses]
    joined = [*said[0].words(), *draw.pick(((",", "and"), ("while",))), *said[1].words()]
    return written(asked.words(), "?"), written(joined)
