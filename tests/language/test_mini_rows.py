"""The rows of the mini language: the same everywhere, balanced, disjoint, in the form of GLUE, in known words."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from harness_tasks.language.encoding import Encoding
from harness_tasks.language.glue_tasks import GLUE_TASKS, GlueTask
from harness_tasks.language.grammar_vocabulary import words
from harness_tasks.language.grammar_words import IMPLIED, NOUNS, PLACES, SYNONYMS, VERBS
from harness_tasks.language.mini_language import LONGEST, SHORTEST, TRAIN_ROWS, VALIDATION_ROWS, VOCABULARY, rows
from harness_tasks.language.mini_models import POSITIONS
from harness_tasks.language.tokenizer import tokenizer_of

#: SHA-256 of rows 10 to 29 of each train split. A model is of one version of the language: change
#: LANGUAGE_VERSION where these change.
KNOWN = {
    "glue-mnli": "98a0f8790444335229646917a9d7d3f84dea60258dfb48c0e6ae569fc0c39d73",
    "glue-qqp": "2253d52483a7bf8eae5655f0f307c966830bfc6f763f0c2c2e631df4f5f759db",
    "glue-qnli": "c544e1ffc2af37e33dd2daecc42672615551f9a95d178c52cf4c6dae892337be",
    "glue-sst2": "ab5db5f0977628a51eec3f9c50dcfbec0a74c4f17f9e2d3dad92ac76d2880b59",
    "glue-cola": "940f4201c5b25e289e3ae1faede7f33eb168ee6d1258f12c71e34070520a6944",
    "glue-stsb": "05e21eb01eb4c894373da9d0f072e35820f978f465f89599689316b0a3687db8",
    "glue-mrpc": "3fab8598fefabd821fc4c0446cd9e713d80a5fc3c99459565c6672f139b0f863",
    "glue-rte": "74ae488e52ff660dd255db5458ccc17db902214e168d2ef706740017ec397d3c",
}

CODE = """
import json
from harness_tasks.language.mini_language import rows
print(json.dumps([rows(task, split, 8, 5) for task, split in (("glue-mnli", "train"), ("glue-stsb", "validation"),
                                                              ("glue-cola", "train"), ("glue-qnli", "validation"))]))
"""


def hashed(found: list[dict]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("task", GLUE_TASKS)
def test_rows_are_these(task: str) -> None:
    assert hashed(rows(task, "train", 20, 10)) == KNOWN[task]


def test_rows_do_not_depend_on_the_process() -> None:
    found = {subprocess.run([sys.executable, "-c", CODE], env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
                            capture_output=True, text=True).stdout for seed in ("1", "2")}
    assert len(found) == 1


@pytest.mark.parametrize("task", GLUE_TASKS)
def test_a_row_depends_on_its_index_only(task: str) -> None:
    assert rows(task, "train", 6, 20) == rows(task, "train", 30)[20:26]
    assert rows(task, "validation", 3, 0) != rows(task, "train", 3, 0)


@pytest.mark.parametrize("task", GLUE_TASKS.values(), ids=GLUE_TASKS)
def test_rows_have_the_form_of_glue(task: GlueTask) -> None:
    for split in ("train", *task.validation_splits):
        for place, row in enumerate(rows(task.name, split, 300)):
            assert list(row) == [*task.columns, "label", "idx"]
            assert row["idx"] == place
            if task.regression:
                assert isinstance(row["label"], float)
                assert 0 <= row["label"] <= 5
            else:
                assert type(row["label"]) is int
                assert row["label"] in range(len(task.labels))
            for column in task.columns:
                assert SHORTEST <= sum(word.isalpha() for word in row[column].split()) <= LONGEST
                assert row[column].split()[-1] in (".", "?")


@pytest.mark.parametrize("task", [task for task in GLUE_TASKS.values() if task.labels], ids=lambda task: task.name)
def test_labels_are_balanced_in_every_block(task: GlueTask) -> None:
    labels = [row["label"] for row in rows(task.name, "train", 300)]
    size = len(task.labels)
    assert all(sorted(labels[start:start + size]) == list(range(size)) for start in range(0, 300, size))
    assert len(Counter(tuple(labels[start:start + size]) for start in range(0, 300, size))) > 1, "no pattern to learn"


@pytest.mark.parametrize("task", GLUE_TASKS.values(), ids=GLUE_TASKS)
def test_no_row_of_validation_is_in_train(task: GlueTask) -> None:
    def texts(split: str, count: int) -> set[tuple[str, ...]]:
        return {tuple(row[column] for column in task.columns) for row in rows(task.name, split, count)}

    train = texts("train", 2000)
    for split in task.validation_splits:
        assert not train & texts(split, 1000)


def test_mismatched_rows_are_of_the_other_genre() -> None:
    places = {genre: {word for place in PLACES[genre] for word in place.split()[2:]} for genre in PLACES}
    nouns = {genre: {form for noun in NOUNS.values() if noun.genre == genre for form in (noun.singular, noun.plural)}
             for genre in PLACES}
    for split, genre, absent in (("matched", "country", "town"), ("mismatched", "town", "country")):
        found = rows("glue-mnli", f"validation_{split}", 300)
        said = {word for row in found for word in f"{row['premise']} {row['hypothesis']}".split()}
        assert said & nouns[genre]
        assert not said & (nouns[absent] | places[absent])


def test_sizes() -> None:
    assert len(rows("glue-sst2", "train")) == TRAIN_ROWS
    assert len(rows("glue-sst2", "validation")) == VALIDATION_ROWS


@pytest.mark.parametrize(("task", "split"), [("glue-wnli", "train"), ("glue-rte", "test"),
                                             ("glue-rte", "validation_matched")])
def test_unknown_names_say_what_is_known(task: str, split: str) -> None:
    with pytest.raises(ValueError, match="known: "):
        rows(task, split)


def test_vocabulary_has_every_word() -> None:
    assert VOCABULARY[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    tokenizer = tokenizer_of(VOCABULARY)
    for word in words():
        pieces = tokenizer.encode(word, add_special_tokens=False).tokens
        assert "[UNK]" not in pieces
        assert "".join(pieces).replace("##", "") == word
        assert len(pieces) <= 2
    assert tokenizer.encode("dogs chases", add_special_tokens=False).tokens == ["dog", "##s", "chase", "##s"]


@pytest.mark.parametrize("task", GLUE_TASKS.values(), ids=GLUE_TASKS)
def test_rows_use_known_words_and_fit_the_model(task: GlueTask) -> None:
    encoded = Encoding(tokenizer_of(VOCABULARY), task, task.max_length).encode(rows(task.name, "train", 2000))
    assert encoded.lengths.max() <= POSITIONS
    assert VOCABULARY.index("[UNK]") not in encoded.tokens


def test_lexicon_is_consistent() -> None:
    first_names = {*NOUNS, *VERBS}
    assert not set(NOUNS) & set(VERBS)
    assert not set(SYNONYMS.values()) & {form for noun in NOUNS.values() for form in (noun.singular, noun.plural)}
    assert not set(SYNONYMS.values()) & first_names
    assert len(set(SYNONYMS.values())) == len(SYNONYMS)
    assert IMPLIED["poodle"] == ("poodle", "dog", "animal")
    assert IMPLIED["sprint"] == ("sprint", "run", "move")
    for verb in VERBS.values():
        if verb.parent:
            assert set(verb.subjects) <= set(VERBS[verb.parent].subjects)
            assert set(verb.objects) <= set(VERBS[verb.parent].objects)
