"""The WordPiece vocabulary of the mini language: every word of the grammar, with endings as pieces of their own."""

from __future__ import annotations

from .grammar_acceptability import DETERMINERS
from .grammar_sentiment import ATTITUDES, DEGREES, JUDGES, NEGATIONS, OPINIONS, TOPICS
from .grammar_words import ADJECTIVES, ADVERBS, NOUNS, PLACES, SYNONYMS, VERBS, renamed_noun, renamed_verb

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""BERT's special tokens, at the indices 0 to 4."""

ENDINGS = ("s", "es", "d", "ed")
"""Endings that are pieces of their own wherever the rest of the word is a word: ``dogs`` is ``dog ##s``."""

_FUNCTION_WORDS = (". , ? and but while although that not do does is are by who whom what where why all no some "
                   "at least one")


def words() -> tuple[str, ...]:
    """Every word form and sign that a sentence can hold, sorted."""
    forms = set(_FUNCTION_WORDS.split())
    forms.update((*DETERMINERS[False], *DETERMINERS[True]))
    for noun in NOUNS.values():
        forms.update(form for one in (noun, renamed_noun(noun)) for form in (one.singular, one.plural))
    for verb in VERBS.values():
        forms.update(form for one in (verb, renamed_verb(verb)) for form in (one.base, one.third, one.participle))
    for group in (*ADJECTIVES.values(), *PLACES.values(), ADVERBS, SYNONYMS.values()):
        forms.update(word for entry in group for word in entry.split())
    forms.update((*OPINIONS, *ATTITUDES, *DEGREES, *NEGATIONS, *TOPICS, *JUDGES))
    forms.update(attitude + "s" for attitude in ATTITUDES)
    return tuple(sorted(forms))


def word_pieces() -> tuple[str, ...]:
    """The vocabulary in order: special tokens, endings, then the words that are not another word and an ending."""
    forms = set(words())
    whole = [form for form in sorted(forms)
             if not any(form.removesuffix(ending) in forms - {form} for ending in ENDINGS)]
    return (*SPECIAL, *(f"##{ending}" for ending in ENDINGS), *whole)
