"""The words of the mini language: nouns in a hierarchy, verbs that imply verbs, adjectives, places, second names.

Everything is data. ``parent`` says what a word implies: every poodle is a dog, whoever sprints runs. A synonym is a
second name of the same thing. Adjectives are intersective (a hungry dog is a hungry animal), so that entailment
follows from the words; words of opinion are in ``grammar_sentiment.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Sort = Literal["person", "animal", "thing"]
"""What a noun names. Verbs choose their subjects and objects by it, so that sentences make sense."""

Genre = Literal["country", "town"]
"""Two kinds of text, each with nouns and places of its own: MNLI's matched and mismatched validation."""

GENRES: tuple[Genre, ...] = ("country", "town")


@dataclass(frozen=True)
class Noun:
    """A noun: its name, its two forms, what it names, its genre (None: both), and the name of the noun that it implies.

    A synonym keeps the ``name`` of the noun whose second name it is.
    """

    name: str
    singular: str
    plural: str
    sort: Sort
    genre: Genre | None
    parent: str | None


@dataclass(frozen=True)
class Verb:
    """A verb: name; base form, third person, participle; sorts of subjects and objects (none: intransitive); parent."""

    name: str
    base: str
    third: str
    participle: str
    subjects: tuple[Sort, ...]
    objects: tuple[Sort, ...]
    parent: str | None


ANIMATE: tuple[Sort, ...] = ("person", "animal")

_NOUNS: tuple[tuple[Sort, Genre | None, str], ...] = (
    ("animal", None, "animal"),
    ("person", None, "person"),
    ("animal", "country", "animal: dog bird horse; dog: poodle terrier collie; bird: robin sparrow owl; "
                          "horse: pony stallion mare"),
    ("person", "country", "person: child worker artist; child: boy girl toddler; worker: farmer gardener shepherd; "
                          "artist: painter poet singer"),
    ("thing", "country", "flower tool fruit; flower: rose tulip daisy; tool: hammer shovel rake; "
                         "fruit: apple pear plum"),
    ("animal", "town", "animal: cat rodent reptile; cat: kitten tabby; rodent: mouse rat hamster; "
                       "reptile: lizard turtle snake"),
    ("person", "town", "person: official doctor musician; official: mayor judge clerk; doctor: surgeon dentist vet; "
                       "musician: pianist drummer violinist"),
    ("thing", "town", "vehicle instrument book; vehicle: car truck taxi; instrument: piano violin drum; "
                      "book: novel diary atlas"),
)

_VERBS: tuple[tuple[tuple[Sort, ...], tuple[Sort, ...], str], ...] = (
    (ANIMATE, (), "move rest; move: run walk jump; run: sprint; walk: stroll; rest: sleep"),
    (("person",), (), "speak sing laugh cry work dance; speak: whisper shout; laugh: giggle; cry: sob"),
    (ANIMATE, ANIMATE, "follow like touch see fear find watch; follow: chase; like: adore; touch: hit; see: spot"),
    (("person",), ANIMATE, "help praise; help: rescue; touch: hug"),
    (("person",), ("thing",), "take clean buy sell hide draw need choose; take: steal grab; clean: polish; "
                              "draw: sketch"),
)

ADJECTIVES: Mapping[Sort, tuple[str, ...]] = MappingProxyType({
    "person": ("hungry", "tired", "happy", "sad", "calm", "sick", "angry", "brave", "lonely", "rich"),
    "animal": ("hungry", "tired", "happy", "sad", "calm", "sick", "angry", "brave", "lonely", "wild"),
    "thing": ("red", "green", "white", "black", "wet", "dirty", "dusty", "shiny", "cheap", "rare"),
})
"""Intersective adjectives by the sort of noun that they go with."""

PLACES: Mapping[Genre, tuple[str, ...]] = MappingProxyType({
    "country": ("in the garden", "in the forest", "in the field", "near the barn", "near the river", "in the village"),
    "town": ("in the office", "in the kitchen", "in the library", "near the station", "near the hotel", "in the shop"),
})
"""Where something happens; each is one place of the world."""

ADVERBS = ("quietly", "calmly", "eagerly", "secretly", "proudly", "today", "again")
"""How or when something is done."""

SYNONYMS: Mapping[str, str] = MappingProxyType({
    "boy": "lad", "child": "kid", "doctor": "physician", "car": "automobile", "taxi": "cab", "poet": "bard",
    "worker": "laborer", "gardener": "groundskeeper", "judge": "magistrate", "violin": "fiddle", "vet": "veterinarian",
    "buy": "purchase", "hide": "conceal", "watch": "observe", "help": "assist", "find": "locate", "need": "require",
    "choose": "select", "speak": "talk", "shout": "yell", "jump": "leap", "cry": "weep", "see": "notice",
    "fear": "dread", "grab": "seize", "sleep": "slumber",
    "happy": "glad", "sick": "ill", "brave": "courageous", "rich": "wealthy", "lonely": "lonesome",
    "cheap": "inexpensive", "rare": "uncommon", "quietly": "silently", "calmly": "peacefully",
    "in the forest": "in the woods", "near the hotel": "near the inn", "in the shop": "in the store",
})
"""A second name of some words, by their names. No second name is the first name of anything."""

_PLURALS = {"person": "people", "child": "children", "mouse": "mice"}
_PARTICIPLES = {"see": "seen", "find": "found", "hide": "hidden", "buy": "bought", "sell": "sold", "draw": "drawn",
                "take": "taken", "steal": "stolen", "hit": "hit", "choose": "chosen", "hug": "hugged",
                "grab": "grabbed", "spot": "spotted"}


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word[-1] == "y" and word[-2] not in "aeiou" else word + "s"


def _noun(name: str, sort: Sort, genre: Genre | None, parent: str | None) -> Noun:
    return Noun(name, name, _PLURALS.get(name, _with_s(name)), sort, genre, parent)


def _verb(name: str, subjects: tuple[Sort, ...], objects: tuple[Sort, ...], parent: str | None) -> Verb:
    participle = _PARTICIPLES.get(name, name + ("d" if name.endswith("e") else "ed"))
    return Verb(name, name, _with_s(name), participle, subjects, objects, parent)


def _family(table: str) -> list[tuple[str, str | None]]:
    """``"top; parent: child child"`` as pairs of name and parent."""
    pairs: list[tuple[str, str | None]] = []
    for entry in table.split(";"):
        parent, colon, names = entry.rpartition(":")
        pairs += [(name, parent.strip() if colon else None) for name in names.split()]
    return pairs


NOUNS: Mapping[str, Noun] = MappingProxyType(
    {name: _noun(name, sort, genre, parent) for sort, genre, table in _NOUNS for name, parent in _family(table)})
"""All nouns by name, without second names."""

VERBS: Mapping[str, Verb] = MappingProxyType(
    {name: _verb(name, subjects, objects, parent)
     for subjects, objects, table in _VERBS for name, parent in _family(table)})
"""All verbs by name, without second names."""


def renamed_noun(noun: Noun) -> Noun:
    """The same noun under its second name, or itself if it has none."""
    other = SYNONYMS.get(noun.name)
    return noun if other is None else replace(noun, singular=other, plural=_with_s(other))


def renamed_verb(verb: Verb) -> Verb:
    """The same verb under its second name, or itself if it has none."""
    other = SYNONYMS.get(verb.name)
    if other is None:
        return verb
    made = _verb(other, verb.subjects, verb.objects, verb.parent)
    return replace(made, name=verb.name)


def renamed(word: str) -> str:
    """An adjective, adverb or place under its second name, or itself if it has none."""
    return SYNONYMS.get(word, word)


def first_name(word: str) -> str:
    """The first name of an adjective, adverb or place, whichever name is given."""
    return _FIRST_NAMES.get(word, word)


_FIRST_NAMES = {second: first for first, second in SYNONYMS.items()}


def _lineage(name: str, table: Mapping[str, Noun] | Mapping[str, Verb]) -> tuple[str, ...]:
    parent = table[name].parent
    return (name,) if parent is None else (name, *_lineage(parent, table))


IMPLIED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: _lineage(name, table) for table in (NOUNS, VERBS) for name in table})
"""Each noun and verb, and all that it implies, itself first and then the nearest. No noun has the name of a verb."""
